import { startOver } from '../../app/startOver.ts';
import { Choices } from '../kit/Choices.tsx';
import { language, languageNames, setLanguage, t } from '../i18n/index.ts';

/** Each language in its own script, no flags. Takes effect at once, without a reload where its words come. */
export function LanguageSwitch({ hideLabel = true }: { hideLabel?: boolean }) {
  const choices = Object.entries(languageNames).map(([value, label]) => ({ value, label, lang: value }));
  return (
    <Choices
      label={t('lang.label')}
      hideLabel={hideLabel}
      value={language.value}
      choices={choices}
      onChoose={(code) => void setLanguage(code).catch(startOver)}
    />
  );
}
