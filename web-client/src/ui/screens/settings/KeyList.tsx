import { t } from '../../i18n/index.ts';

/** The keys of the lesson. */
export function KeyList() {
  const keys: [string, string][] = [
    ['M', t('settings.keyMicrophone')],
    ['H', t('settings.keyHand')],
    ['C', t('settings.keyChat')],
    ['F6', t('settings.keyRegions')],
    ['Esc', t('settings.keyEscape')],
  ];
  return (
    <section class="settings-group settings-keys" aria-labelledby="settings-keys">
      <h3 id="settings-keys">{t('settings.keys')}</h3>
      <dl>
        {keys.map(([key, words]) => (
          <div key={key}>
            <dt>
              <kbd dir="ltr">{key}</kbd>
            </dt>
            <dd>{words}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
