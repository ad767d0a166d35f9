import { signal } from '@preact/signals';
import { render } from 'preact';
import { act } from 'preact/test-utils';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { DataUsed } from '../src/lesson/data.ts';
import { BudgetChoices } from '../src/ui/screens/lesson/BudgetChoices.tsx';

let root: HTMLElement;
const choose = vi.fn();

const typed = (field: HTMLInputElement, text: string) =>
  act(() => {
    field.value = text;
    field.dispatchEvent(new Event('input', { bubbles: true }));
  });

beforeEach(() => {
  vi.useFakeTimers();
  choose.mockClear();
  root = document.createElement('div');
  document.body.append(root);
});
afterEach(() => {
  act(() => render(null, root));
  root.remove();
  vi.useRealTimers();
});

function ownField(): HTMLInputElement {
  const data = signal<DataUsed>({ bytes: 0, budget: 30_000_000, pictures: 'full' });
  act(() => render(<BudgetChoices data={data} onChoose={choose} />, root));
  return root.querySelector('input[inputmode]') as HTMLInputElement;
}

test('while a number is typed its first digits are no budget', () => {
  const field = ownField();
  typed(field, '2');
  vi.advanceTimersByTime(500);
  typed(field, '25');
  expect(choose).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1_000);
  expect(choose.mock.calls).toEqual([[25_000_000]]);
});

test('a number counts at once when the field is left, and when the dialog is closed', () => {
  const field = ownField();
  typed(field, '40');
  act(() => void field.dispatchEvent(new Event('change', { bubbles: true })));
  expect(choose.mock.calls).toEqual([[40_000_000]]);
  typed(field, '45');
  act(() => render(null, root));
  expect(choose.mock.calls).toEqual([[40_000_000], [45_000_000]]);
});

test('nonsense is told and changes nothing', () => {
  const field = ownField();
  typed(field, 'abc');
  vi.advanceTimersByTime(2_000);
  expect(choose).not.toHaveBeenCalled();
  expect(root.querySelector('[role=alert]')).not.toBeNull();
});
