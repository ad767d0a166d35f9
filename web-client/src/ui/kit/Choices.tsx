import type { ComponentChildren } from 'preact';
import { useId } from 'preact/hooks';
import './Choices.css';

export interface Choice<Value extends string> {
  value: Value;
  label: ComponentChildren;
  hint?: string;
  /** The language of the label where it differs from the page's. */
  lang?: string;
}

interface Props<Value extends string> {
  label: string;
  hideLabel?: boolean;
  /** `row` is a segmented switch, `list` has one choice a line with its hint. */
  layout?: 'row' | 'list';
  value: Value;
  choices: readonly Choice<Value>[];
  onChoose: (value: Value) => void;
}

/** One of a few: native radio buttons, so that arrow keys and readers work by themselves. */
export function Choices<Value extends string>(props: Props<Value>) {
  const { label, hideLabel, layout = 'row', value, choices, onChoose } = props;
  const name = useId();
  return (
    <fieldset class={`choices choices-${layout}`}>
      <legend class={hideLabel ? 'sr-only' : undefined}>{label}</legend>
      <div class="choices-items">
        {choices.map((choice) => (
          <label key={choice.value} class="choice" lang={choice.lang}>
            <input
              type="radio"
              name={name}
              value={choice.value}
              checked={choice.value === value}
              onChange={() => onChoose(choice.value)}
            />
            <span class="choice-text">
              {choice.label}
              {choice.hint && <small>{choice.hint}</small>}
            </span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}
