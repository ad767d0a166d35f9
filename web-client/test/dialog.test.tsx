import { render } from 'preact';
import { act } from 'preact/test-utils';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Dialog } from '../src/ui/kit/Dialog.tsx';

let root: HTMLElement;
const close = vi.fn();

beforeEach(() => {
  close.mockClear();
  root = document.createElement('div');
  document.body.append(root);
  act(() =>
    render(
      <Dialog title="t" onClose={close}>
        <p>inside</p>
      </Dialog>,
      root,
    ),
  );
});
afterEach(() => {
  act(() => render(null, root));
  root.remove();
});

const outside = () => root.querySelector('dialog') as HTMLElement;
const inside = () => root.querySelector('p') as HTMLElement;

/** A press on one thing and a release that makes a click on another, so long after the dialog was opened. */
function click(pressed: HTMLElement, clicked: HTMLElement, afterMs: number): void {
  pressed.dispatchEvent(new PointerEvent('pointerdown', { bubbles: true }));
  const event = new MouseEvent('click', { bubbles: true });
  Object.defineProperty(event, 'timeStamp', { value: performance.now() + afterMs });
  clicked.dispatchEvent(event);
}

test('a click beside the window closes it', () => {
  click(outside(), outside(), 2_000);
  expect(close).toHaveBeenCalledOnce();
});

test('the second click of who double-clicked the button behind it does not', () => {
  click(outside(), outside(), 200);
  expect(close).not.toHaveBeenCalled();
});

test('a selection that is dragged out of the window does not', () => {
  click(inside(), outside(), 2_000);
  click(inside(), inside(), 2_000);
  expect(close).not.toHaveBeenCalled();
});
