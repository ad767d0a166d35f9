import { rememberBudget } from '../../app/budget.ts';
import { rememberReceiveMode } from '../../app/receive.ts';
import type { LessonSession } from '../../lesson/session.ts';
import type { LessonActions } from '../screens/lesson/view.ts';
import type { LessonNotices } from './lessonNotices.ts';
import type { Unread } from './unread.ts';

/** The screen's wishes as commands of the session. */
export function lessonActions(
  session: LessonSession,
  notices: LessonNotices,
  unread: Unread,
  openSettings: () => void,
): LessonActions {
  const tell = session.tell.bind(session);
  const me = () => session.self.value?.user ?? '';
  return {
    setMicrophone: (on) => {
      if (on && !maySpeak(session)) notices.tell({ kind: 'refused', code: 'needs_floor' });
      else void session.media.own.setMicrophone(on).catch(() => undefined);
    },
    setCamera: (on) => void session.media.own.setCamera(on).catch(() => undefined),
    setScreen: (on) => void session.media.own.setScreen(on).catch(() => undefined),
    setHand: (up) => tell(up ? { type: 'raise_hand' } : { type: 'lower_hand', user: me() }),
    lowerHand: (user) => tell({ type: 'lower_hand', user }),
    lowerAllHands: () => tell({ type: 'lower_all_hands' }),
    giveFloor: (user) => tell({ type: 'give_floor', user }),
    takeFloor: (user) => tell({ type: 'take_floor', user }),
    grantCamera: (user, to) => tell({ type: 'grant_camera', user, to }),
    revokeCamera: (user) => tell({ type: 'revoke_camera', user }),
    mute: (user) => tell({ type: 'mute', user }),
    muteAll: () => tell({ type: 'mute_all' }),
    stopSource: (user, source) => tell({ type: 'stop_source', user, source }),
    remove: (user, reason, note, keepOut) => tell({ type: 'remove', user, reason, note, keep_out: keepOut }),
    readmit: (user) => tell({ type: 'readmit', user }),
    setLocked: (locked) => tell({ type: 'set_locked', locked }),
    setChat: (mode, slowModeS) => tell({ type: 'set_chat', mode, slow_mode_s: slowModeS }),
    say: (text, to) => session.chat.say(text, to),
    retryLine: (key) => session.chat.retry(key),
    discardLine: (key) => session.chat.discard(key),
    deleteLine: (number) => tell({ type: 'delete_line', number }),
    loadOlder: () => session.chat.loadOlder(),
    readChat: (visible) => unread.setVisible(visible),
    report: (note) => {
      session.command({ type: 'report', note }).then(
        () => notices.tell({ kind: 'report_sent' }),
        () => undefined,
      );
    },
    setReceiveMode: (mode) => {
      rememberReceiveMode(mode);
      session.media.setReceiveMode(mode);
    },
    setBudget: (bytes) => {
      rememberBudget(bytes);
      session.data.setBudget(bytes);
    },
    showCameras: (cameras) => session.media.showCameras(cameras),
    unlockSound: () => session.media.unlockSound(),
    closeNotice: (key) => notices.close(key),
    openSettings,
    leave: () => void session.leave(),
    end: () => tell({ type: 'end' }),
  };
}

function maySpeak(session: LessonSession): boolean {
  const participant = session.state.value?.participants.get(session.self.value?.user ?? '');
  return participant?.role === 'teacher' || participant?.floor === true;
}
