import type { ComponentChildren } from 'preact';
import { useId } from 'preact/hooks';
import './Field.css';

interface Props {
  label: string;
  name?: string;
  class?: string;
  type?: 'text' | 'password';
  dir?: 'auto' | 'ltr';
  autoComplete?: string;
  autoCapitalize?: 'none' | 'sentences';
  spellcheck?: boolean;
  inputMode?: 'numeric';
  value: string;
  onValue: (value: string) => void;
  /** It was left, or the enter key said that this is it. */
  onChange?: () => void;
  /** A button inside the field's end. */
  addon?: ComponentChildren;
}

/** One line of text with its label above. */
export function TextField({ label, value, onValue, addon, ...rest }: Props) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <div class="field-box">
        <input
          id={id}
          dir="auto"
          {...(rest as object)}
          value={value}
          onInput={(event) => onValue(event.currentTarget.value)}
        />
        {addon}
      </div>
    </div>
  );
}
