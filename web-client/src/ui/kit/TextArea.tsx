import { useId } from 'preact/hooks';
import './Field.css';

interface Props {
  label: string;
  value: string;
  rows?: number;
  maxLength?: number;
  onValue: (value: string) => void;
}

/** Several lines of text with the label above. */
export function TextArea({ label, value, rows = 3, maxLength, onValue }: Props) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <div class="field-box">
        <textarea
          id={id}
          dir="auto"
          rows={rows}
          maxLength={maxLength}
          value={value}
          onInput={(event) => onValue(event.currentTarget.value)}
        />
      </div>
    </div>
  );
}
