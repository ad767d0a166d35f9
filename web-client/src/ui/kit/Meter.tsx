import { useLayoutEffect, useRef } from 'preact/hooks';
import './Meter.css';

interface Props {
  label: string;
  /** 0 to 1. */
  value: number;
}

/** A level as a row of lights; the number of lit ones, not only their color, tells it. */
export function Meter({ label, value }: Props) {
  const fill = useRef<HTMLSpanElement>(null);
  const percent = Math.round(Math.min(1, Math.max(0, value)) * 100);
  useLayoutEffect(() => fill.current?.style.setProperty('--level', `${percent}%`), [percent]);
  return (
    <span class="meter" role="meter" aria-label={label} aria-valuemin={0} aria-valuemax={100} aria-valuenow={percent}>
      <span ref={fill} class="meter-fill" />
    </span>
  );
}
