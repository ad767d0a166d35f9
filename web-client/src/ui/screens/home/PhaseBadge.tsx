import type { Phase } from '../../../protocol/generated.ts';
import { t } from '../../i18n/index.ts';
import { Badge } from '../../kit/Badge.tsx';

/** Where a lesson stands, in words. */
export function PhaseBadge({ phase }: { phase: Phase | 'unavailable' }) {
  switch (phase) {
    case 'unavailable':
      return <Badge tone="warning">{t('home.phaseUnavailable')}</Badge>;
    case 'open':
      return <Badge tone="live">{t('home.phaseOpen')}</Badge>;
    case 'paused':
      return <Badge tone="warning">{t('home.phasePaused')}</Badge>;
    case 'ended':
      return <Badge>{t('home.phaseEnded')}</Badge>;
    default:
      return <Badge>{t('home.phaseWaiting')}</Badge>;
  }
}
