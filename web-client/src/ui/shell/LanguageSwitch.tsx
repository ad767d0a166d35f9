import { useState } from 'preact/hooks';
import { Banner } from '../kit/Banner.tsx';
import { Choices } from '../kit/Choices.tsx';
import { announceNow } from '../kit/announce.ts';
import { language, languageNames, setLanguage, t } from '../i18n/index.ts';

/**
 * Each language in its own script, no flags. Takes effect at once, without a reload, where its words come. Where they do not, the page stays as it is, with the
 * voice, the screen and the half-written line of a lesson, and says when it will be in the chosen language.
 */
export function LanguageSwitch({ hideLabel = true }: { hideLabel?: boolean }) {
  // An object: the same language that is missing once more draws the choice anew, too.
  const [missing, setMissing] = useState<{ code: string }>();
  const choices = Object.entries(languageNames).map(([value, label]) => ({ value, label, lang: value }));
  const choose = async (code: string) => {
    try {
      await setLanguage(code);
      setMissing(undefined);
    } catch {
      setMissing({ code });
      announceNow(missingWords(code));
    }
  };
  return (
    <>
      <Choices
        label={t('lang.label')}
        hideLabel={hideLabel}
        value={language.value}
        choices={choices}
        onChoose={(code) => void choose(code)}
      />
      {missing && <Banner tone="warning">{missingWords(missing.code)}</Banner>}
    </>
  );
}

function missingWords(code: string): string {
  return t('lang.missing', { language: languageNames[code] ?? code });
}
