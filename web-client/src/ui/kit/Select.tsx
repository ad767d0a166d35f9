import { useId } from 'preact/hooks';
import { Icon } from './Icon.tsx';
import './Field.css';

export interface Option {
  value: string;
  label: string;
}

interface Props {
  label: string;
  value: string;
  options: readonly Option[];
  hideLabel?: boolean;
  disabled?: boolean;
  onChoose: (value: string) => void;
}

/** The native select: on phones the system's own picker. */
export function Select({ label, value, options, hideLabel, disabled, onChoose }: Props) {
  const id = useId();
  return (
    <div class="field">
      <label for={id} class={hideLabel ? 'sr-only' : undefined}>
        {label}
      </label>
      <div class="field-box field-select">
        <select id={id} value={value} disabled={disabled} onChange={(event) => onChoose(event.currentTarget.value)}>
          {options.map((option) => (
            <option key={option.value} value={option.value} selected={option.value === value}>
              {option.label}
            </option>
          ))}
        </select>
        <Icon name="chevronDown" size="small" />
      </div>
    </div>
  );
}
