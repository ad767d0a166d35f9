import type { ReadonlySignal } from '@preact/signals';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { DataUsed } from '../../../lesson/data.ts';
import { t } from '../../i18n/index.ts';
import { Choices } from '../../kit/Choices.tsx';
import { Meter } from '../../kit/Meter.tsx';
import { TextField } from '../../kit/TextField.tsx';
import { megabytes, usedText } from './DataMeter.tsx';
import './BudgetChoices.css';

interface Props {
  data: ReadonlySignal<DataUsed>;
  onChoose: (bytes: number | null) => void;
}

const mb = 1_000_000;
/** Plain choices, in megabytes. */
const plain = [25, 50, 100] as const;
/** The server's limits. */
const least = 1;
const most = 10_000;
/** So long after the last key a number is what was meant. */
const settleMs = 1_000;

/** How much data this lesson may cost: a plain choice or an own number, with what was used and what is left. */
export function BudgetChoices({ data, onChoose }: Props) {
  const { budget, bytes } = data.value;
  const isPlain = budget !== null && plain.some((each) => each * mb === budget);
  const [own, setOwn] = useState(budget !== null && !isPlain);
  const [asked, setAsked] = useState(false);
  const value = own ? 'own' : budget === null ? 'none' : String(budget / mb);
  const choices = [
    { value: 'none', label: t('receive.budgetNone') },
    ...plain.map((each) => ({ value: String(each), label: t('receive.usedShort', { mb: megabytes(each * mb) }) })),
    { value: 'own', label: t('receive.budgetOwn') },
  ];
  const choose = (chosen: string) => {
    setOwn(chosen === 'own');
    setAsked(true);
    if (chosen !== 'own') onChoose(chosen === 'none' ? null : Number(chosen) * mb);
  };
  return (
    <div class="budget">
      <Choices label={t('receive.budget')} value={value} choices={choices} onChoose={choose} />
      {own && <OwnBudget budget={budget} asked={asked} onChoose={onChoose} />}
      <p class="budget-used">{usedText(data.value)}</p>
      {budget !== null && <Meter label={t('receive.budgetMeter')} value={bytes / budget} />}
      {budget !== null && <p class="muted small">{t('receive.budgetHint')}</p>}
    </div>
  );
}

interface OwnProps {
  budget: number | null;
  /** Just chosen: the field is shown, and ready to be written in. */
  asked: boolean;
  onChoose: (bytes: number | null) => void;
}

function OwnBudget({ budget, asked, onChoose }: OwnProps) {
  const field = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!asked) return;
    field.current?.querySelector('input')?.focus();
    field.current?.scrollIntoView({ block: 'center' });
  }, []);
  const [text, setText] = useState(budget === null ? '' : String(Math.round(budget / mb)));
  const wrong = text.trim() !== '' && toBytes(text) === undefined;
  // The first digits of a number are another number: pictures would stop for a moment.
  const settle = useSettled(settleMs, () => {
    const bytes = toBytes(text);
    if (bytes !== undefined && bytes !== budget) onChoose(bytes);
  });
  const change = (typed: string) => {
    setText(typed);
    settle.later();
  };
  return (
    <div ref={field}>
      <TextField
        label={t('receive.budgetOwnLabel')}
        inputMode="numeric"
        dir="ltr"
        value={text}
        onValue={change}
        onChange={settle.now}
      />
      {wrong && (
        <p class="small budget-wrong" role="alert">
          {t('receive.budgetRange', { least: megabytes(least * mb), most: megabytes(most * mb) })}
        </p>
      )}
    </div>
  );
}

/** Does once, a while after the last `later`, at `now`, or when the part goes, what was wished for at the last drawing. */
function useSettled(ms: number, act: () => void): { later: () => void; now: () => void } {
  const newest = useRef(act);
  newest.current = act;
  const [settle] = useState(() => {
    let timer: number | undefined;
    const now = () => {
      if (timer === undefined) return;
      clearTimeout(timer);
      timer = undefined;
      newest.current();
    };
    const later = () => {
      clearTimeout(timer);
      timer = window.setTimeout(now, ms);
    };
    return { later, now };
  });
  useEffect(() => () => settle.now(), [settle]);
  return settle;
}

/** Digits of any keyboard, with or without a unit behind them; `undefined` where it is no number within the limits. */
export function toBytes(typed: string): number | undefined {
  const latin = typed.replace(/[٠-٩۰-۹]/g, (digit) => String(digit.charCodeAt(0) & 0xf));
  const digits = /^\s*(\d{1,5})\s*(mb|mo|ميغا(بايت)?)?\s*$/iu.exec(latin)?.[1];
  const number = digits === undefined ? Number.NaN : Number(digits);
  return number >= least && number <= most ? number * mb : undefined;
}
