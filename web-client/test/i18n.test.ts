import { beforeEach, describe, expect, it } from 'vitest';
import { languageNames, setLanguage, t } from '../src/ui/i18n/index.ts';

describe('the words of the page', () => {
  beforeEach(() => localStorage.clear());

  it('names each language in its own script', () => {
    expect(languageNames).toMatchObject({ ar: 'العربية', fr: 'Français', en: 'English' });
  });

  it('has six plural forms in Arabic', async () => {
    await setLanguage('ar');
    const said = [0, 1, 2, 3, 11, 100].map((count) => t('bar.handsCount', { count }));
    expect(new Set(said).size).toBe(6);
    expect(said[2]).toBe('يدان مرفوعتان');
    expect(said[4]).toBe('11 يدًا مرفوعة');
  });

  it('switches live, tells the document and remembers', async () => {
    await setLanguage('fr');
    expect(t('signIn.submit')).toBe('Se connecter');
    expect(document.documentElement.dir).toBe('ltr');
    await setLanguage('ar');
    expect(document.documentElement.lang).toBe('ar');
    expect(document.documentElement.dir).toBe('rtl');
    expect(localStorage.getItem('qism.language')).toBe('ar');
  });

  it('ignores a language there is no file for', async () => {
    await setLanguage('fr');
    await setLanguage('xx');
    expect(t('signIn.submit')).toBe('Se connecter');
  });
});
