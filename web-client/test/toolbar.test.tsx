import { render } from 'preact';
import { act } from 'preact/test-utils';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Toolbar } from '../src/ui/kit/Toolbar.tsx';

let root: HTMLElement;

beforeEach(async () => {
  root = document.createElement('div');
  document.body.append(root);
  await act(() =>
    render(
      <Toolbar label="bar">
        <button type="button">1</button>
        <button type="button">2</button>
        <button type="button">3</button>
      </Toolbar>,
      root,
    ),
  );
  root.querySelector('button')?.focus();
});

afterEach(() => {
  render(null, root);
  root.remove();
  document.documentElement.dir = '';
});

const focused = () => document.activeElement?.textContent;
const press = (key: string) =>
  document.activeElement?.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
const stops = () => [...root.querySelectorAll('button')].filter((button) => button.tabIndex === 0).length;

describe('a row of buttons', () => {
  test.each([
    ['ltr', 'ArrowRight', 'ArrowLeft'],
    ['rtl', 'ArrowLeft', 'ArrowRight'],
  ])('in a page that reads %s, %s goes on and %s goes back', (dir, on, back) => {
    document.documentElement.dir = dir;
    press(on);
    expect(focused()).toBe('2');
    press(back);
    expect(focused()).toBe('1');
    press(back);
    expect(focused()).toBe('3');
    press('Home');
    expect(focused()).toBe('1');
    press('End');
    expect(focused()).toBe('3');
  });

  test('is one stop for Tab, wherever the focus went', () => {
    expect(stops()).toBe(1);
    press('End');
    expect(stops()).toBe(1);
    expect(root.querySelector('button:last-child')).toHaveProperty('tabIndex', 0);
  });
});
