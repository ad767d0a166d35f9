import { t } from '../../i18n/index.ts';
import { ShareBar } from '../../kit/ShareBar.tsx';

interface Props {
  present: number;
  expected: number;
}

/** Present of expected, as words and as a bar. */
export function PresenceBar({ present, expected }: Props) {
  return (
    <ShareBar share={expected > 0 ? present / expected : 0}>{t('home.presentLong', { present, expected })}</ShareBar>
  );
}
