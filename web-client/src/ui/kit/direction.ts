/** What an arrow key means in the reading direction of the page. */
export type Step = 'next' | 'previous' | 'first' | 'last';

const steps: Readonly<Record<string, Step>> = { Home: 'first', End: 'last' };

/** Translates a key; up and down count only where `vertical` says so. */
export function stepOf(key: string, options: { vertical?: boolean } = {}): Step | undefined {
  const forward = document.documentElement.dir === 'rtl' ? 'ArrowLeft' : 'ArrowRight';
  if (key === 'ArrowLeft' || key === 'ArrowRight') return key === forward ? 'next' : 'previous';
  if (options.vertical && key === 'ArrowDown') return 'next';
  if (options.vertical && key === 'ArrowUp') return 'previous';
  return steps[key];
}

/** The index that a step leads to, going round at both ends. */
export function stepTo(step: Step, from: number, count: number): number {
  if (step === 'first') return 0;
  if (step === 'last') return count - 1;
  return (from + (step === 'next' ? 1 : -1) + count) % count;
}
