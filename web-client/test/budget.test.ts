import { expect, test } from 'vitest';
import { rememberBudget, rememberedBudget } from '../src/app/budget.ts';
import { LessonData } from '../src/lesson/data.ts';
import type { ClientFrame } from '../src/protocol/generated.ts';
import { toBytes } from '../src/ui/screens/lesson/BudgetChoices.tsx';

test('the device remembers a budget, and that there is none', () => {
  expect(rememberedBudget()).toBeNull();
  rememberBudget(25_000_000);
  expect(rememberedBudget()).toBe(25_000_000);
  rememberBudget(null);
  expect(rememberedBudget()).toBeNull();
  localStorage.setItem('qism.budget', 'nonsense');
  expect(rememberedBudget()).toBeNull();
});

test('the wish is told with every welcome, and the server’s account is shown', () => {
  const sent: ClientFrame[] = [];
  const data = new LessonData((frame) => sent.push(frame), 25_000_000);
  data.welcomed();
  data.told({ type: 'data_used', bytes: 7_430_000, budget: 25_000_000, pictures: 'spared' });
  expect(data.used.value).toEqual({ bytes: 7_430_000, budget: 25_000_000, pictures: 'spared' });
  data.setBudget(null);
  data.welcomed();
  const bytes = sent.map((frame) => frame.type === 'set_budget' && frame.bytes);
  expect(bytes).toEqual([25_000_000, null, null]);
  expect(data.used.value.budget).toBeNull();
});

test('another server is told what the lesson has cost, and shows no less before it has read it', () => {
  const sent: ClientFrame[] = [];
  const data = new LessonData((frame) => sent.push(frame), null);
  data.welcomed();
  data.told({ type: 'data_used', bytes: 7_430_000, budget: null, pictures: 'full' });
  data.welcomed();
  data.told({ type: 'data_used', bytes: 0, budget: null, pictures: 'full' });
  expect(data.used.value.bytes).toBe(7_430_000);
  expect(sent).toEqual([
    { type: 'set_budget', bytes: null },
    { type: 'set_budget', bytes: null, used: 7_430_000 },
  ]);
});

test('an own number is read in the digits of any keyboard, within the server’s limits', () => {
  expect(toBytes('40')).toBe(40_000_000);
  expect(toBytes(' ٤٠ ')).toBe(40_000_000);
  expect(toBytes('۴۰')).toBe(40_000_000);
  for (const unit of ['40 MB', '40Mo', '٤٠ ميغا', '40 ميغابايت']) expect(toBytes(unit)).toBe(40_000_000);
  expect(toBytes('10000')).toBe(10_000_000_000);
  for (const wrong of ['', '0', '10001', '-5', '2.5', '40 GB', '4 0']) expect(toBytes(wrong)).toBeUndefined();
});
