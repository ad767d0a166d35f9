import { computed, effect } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { chime } from '../../media/chime.ts';
import { whenTalkedTo } from '../../media/talk.ts';
import { handSound } from '../shell/preferences.ts';
import type { LessonSession } from '../../lesson/session.ts';
import { language, t } from '../i18n/index.ts';
import { announce, announceNow } from '../kit/announce.ts';
import { fullName, isolated } from '../kit/names.ts';
import type { LessonNotices } from './lessonNotices.ts';

/** Says for ears what eyes see change: hands for who leads, the opening, the connection that came back. */
export function useLessonSayings(session: LessonSession, notices: LessonNotices): void {
  useEffect(() => {
    const stops = [sayHands(session), sayPhase(session), sayConnection(session, notices), sayUnheard(session, notices)];
    return () => {
      for (const stop of stops) stop();
    };
  }, [session]);
}

function sayHands(session: LessonSession): () => void {
  let known: ReadonlySet<string> | undefined;
  return effect(() => {
    const hands = session.state.value?.hands.map(({ user }) => user);
    if (!hands) return;
    const fresh = known === undefined ? [] : hands.filter((user) => !known?.has(user));
    known = new Set(hands);
    if (session.self.peek()?.role !== 'teacher') return;
    if (fresh.length > 0 && handSound.peek()) void chime();
    for (const user of fresh) {
      const name = fullName(session.people.peek().get(user)?.name, language.value);
      announce(t('say.handRaisedBy', { name: isolated(name) }));
    }
  });
}

function sayPhase(session: LessonSession): () => void {
  let before: string | undefined;
  return effect(() => {
    const phase = session.state.value?.phase;
    if (before === 'waiting' && phase === 'open') announceNow(t('say.opened'));
    if (before === 'open' && phase === 'paused') announceNow(t('lesson.pausedTitle'));
    before = phase;
  });
}

function sayConnection(session: LessonSession, notices: LessonNotices): () => void {
  let wasCut = false;
  return effect(() => {
    const { kind } = session.connection.value;
    if (wasCut && kind === 'open' && session.state.peek()) notices.tell({ kind: 'back' });
    wasCut = kind === 'cut';
  });
}

/** Who talks with the microphone muted is told so, once for each time it is muted. */
function sayUnheard(session: LessonSession, notices: LessonNotices): () => void {
  const muted = computed(() => {
    const me = session.state.value?.participants.get(session.self.value?.user ?? '');
    const isMuted = me?.published.some(({ source, muted }) => source === 'microphone' && muted);
    return isMuted ? session.media.own.track('microphone') : undefined;
  });
  return effect(() => {
    const track = muted.value;
    return track && whenTalkedTo(track, () => notices.tell({ kind: 'unheard' }));
  });
}
