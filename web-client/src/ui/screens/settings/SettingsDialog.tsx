import { Choices } from '../../kit/Choices.tsx';
import { Dialog } from '../../kit/Dialog.tsx';
import { t } from '../../i18n/index.ts';
import { Switch } from '../../kit/Switch.tsx';
import { LanguageSwitch } from '../../shell/LanguageSwitch.tsx';
import { handSound, type TextSize, textSize, type Theme, theme } from '../../shell/preferences.ts';
import { type DeviceChoice, DeviceSettings } from './DeviceSettings.tsx';
import { type ReceiveChoice, ReceiveSettings } from './ReceiveSettings.tsx';
import { KeyList } from './KeyList.tsx';
import './Settings.css';

interface Props {
  onClose: () => void;
  /** Who leads a lesson hears hands. */
  leads?: boolean;
  devices?: DeviceChoice | undefined;
  receive?: ReceiveChoice | undefined;
}

/** Language, text size, appearance; devices and receiving where a lesson is on. Every choice works at once. */
export function SettingsDialog({ onClose, leads, devices, receive }: Props) {
  const sizes: { value: TextSize; label: string }[] = [
    { value: 'normal', label: t('settings.textNormal') },
    { value: 'large', label: t('settings.textLarge') },
    { value: 'larger', label: t('settings.textLarger') },
  ];
  const themes: { value: Theme; label: string }[] = [
    { value: 'auto', label: t('settings.themeAuto') },
    { value: 'light', label: t('settings.themeLight') },
    { value: 'dark', label: t('settings.themeDark') },
  ];
  return (
    <Dialog title={t('settings.title')} onClose={onClose} wide>
      <LanguageSwitch hideLabel={false} />
      <Choices
        label={t('settings.textSize')}
        value={textSize.value}
        choices={sizes}
        onChoose={(value) => {
          textSize.value = value;
        }}
      />
      <Choices
        label={t('settings.theme')}
        value={theme.value}
        choices={themes}
        onChoose={(value) => {
          theme.value = value;
        }}
      />
      {leads && (
        <Switch
          checked={handSound.value}
          onChange={(on) => {
            handSound.value = on;
          }}
        >
          {t('settings.sounds')}
        </Switch>
      )}
      {devices && <DeviceSettings {...devices} />}
      {receive && <ReceiveSettings {...receive} />}
      <KeyList />
    </Dialog>
  );
}
