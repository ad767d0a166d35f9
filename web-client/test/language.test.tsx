import { render } from 'preact';
import { act } from 'preact/test-utils';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { languages } from '../src/ui/i18n/compiled/languages.ts';
import { setLanguage, t } from '../src/ui/i18n/index.ts';
import { LanguageSwitch } from '../src/ui/shell/LanguageSwitch.tsx';

let root: HTMLElement;
const reload = vi.fn();
const radio = (code: string) => root.querySelector(`input[value=${code}]`) as HTMLInputElement;
const choose = (code: string) =>
  act(async () => {
    radio(code).click();
    await new Promise((resolve) => setTimeout(resolve));
  });

beforeEach(async () => {
  vi.stubGlobal('location', { reload });
  localStorage.clear();
  await setLanguage('fr');
  root = document.createElement('div');
  document.body.append(root);
  await act(() => render(<LanguageSwitch />, root));
});
afterEach(() => {
  render(null, root);
  root.remove();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

test('a language whose words do not come leaves the page as it is and says so; the next time it is chosen it may be there', async () => {
  vi.spyOn(languages.en as { load(): Promise<unknown> }, 'load').mockRejectedValueOnce(new TypeError('no network'));
  await choose('en');
  expect(root.textContent).toContain(t('lang.missing', { language: 'English' }));
  expect(document.documentElement.lang).toBe('fr');
  expect([radio('fr').checked, radio('en').checked]).toEqual([true, false]);
  expect(reload).not.toHaveBeenCalled();
  expect(localStorage.getItem('qism.language')).toBe('en');
  await choose('en');
  // Its words come by an import.
  await vi.waitFor(() => expect(document.documentElement.lang).toBe('en'), { timeout: 10_000 });
  await act(() => Promise.resolve());
  expect(root.textContent).not.toContain(t('lang.missing', { language: 'English' }));
});
