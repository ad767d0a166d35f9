import type { Logged, Name } from '../../../protocol/generated.ts';
import { language, t } from '../../i18n/index.ts';
import { fullName, isolated } from '../../kit/names.ts';

type Names = ReadonlyMap<string, Name>;

/** One line of a lesson's log in the reader's words. */
export function describeEvent({ event }: Logged, names: Names): string {
  const who = (user: string) => isolated(fullName(names.get(user), language.value) || t('common.unknownPerson'));
  switch (event.type) {
    case 'attached':
      return t(event.visit ? 'event.visited' : 'event.attached', { name: who(event.user) });
    case 'left':
      return t(event.reason === 'cut' ? 'event.cut' : 'event.left', { name: who(event.user) });
    case 'opened':
      return t('event.opened');
    case 'paused':
      return t('event.paused');
    case 'resumed':
      return t('event.resumed');
    case 'ended':
      return t('event.ended');
    case 'said':
      return t('event.said', { name: who(event.user), text: isolated(event.text ?? t('reports.deletedLine')) });
    case 'line_deleted':
      return t('event.lineDeleted', { name: who(event.by) });
    case 'chat_set':
      return t('event.chatSet');
    case 'hand_raised':
      return t('event.handRaised', { name: who(event.user) });
    case 'hand_lowered':
      return t('event.handLowered', { name: who(event.user) });
    case 'all_hands_lowered':
      return t('hands.lowerAll');
    case 'floor_given':
      return t('event.floorGiven', { name: who(event.user) });
    case 'floor_taken':
      return t('event.floorTaken', { name: who(event.user) });
    case 'camera_granted':
      return t('event.cameraGranted', { name: who(event.user) });
    case 'camera_revoked':
      return t('event.cameraRevoked', { name: who(event.user) });
    case 'published':
      return t('event.published', { name: who(event.user), source: t(`source.${event.source}`) });
    case 'unpublished':
      return t('event.unpublished', { name: who(event.user), source: t(`source.${event.source}`) });
    case 'muted_set':
      return t(event.muted ? 'event.muted' : 'event.unmuted', { name: who(event.user) });
    case 'all_muted':
      return t('event.allMuted');
    case 'removed':
      return t('event.removed', { name: who(event.user), reason: t(`reason.${event.reason}`) });
    case 'readmitted':
      return t('event.readmitted', { name: who(event.user) });
    case 'locked_set':
      return t(event.locked ? 'event.locked' : 'event.unlocked');
    case 'reported':
      return t('event.reported', { name: who(event.by) });
    case 'erased':
      return t('event.erased');
    default:
      return t('event.other');
  }
}
