import { useEffect, useMemo, useState } from 'preact/hooks';
import { accountExpired } from '../../app/account.ts';
import { rememberBudget } from '../../app/budget.ts';
import type { Wish } from '../../app/check.ts';
import { chooseDevice, chosenDevices, deviceLists, followDevices } from '../../app/devices.ts';
import { enterLesson, setOutside } from '../../app/enterLesson.ts';
import { rememberReceiveMode } from '../../app/receive.ts';
import { goHome } from '../../app/route.ts';
import type { LessonSession } from '../../lesson/session.ts';
import { nameWhatPlays } from '../../media/awake.ts';
import { language, t } from '../i18n/index.ts';
import { localized } from '../kit/names.ts';
import { LoadingPage } from '../shell/LoadingPage.tsx';
import { useNow } from '../kit/useNow.ts';
import { LessonScreen } from '../screens/lesson/LessonScreen.tsx';
import { OverScreen, type OverReason } from '../screens/over/OverScreen.tsx';
import { SettingsDialog } from '../screens/settings/SettingsDialog.tsx';
import { deviceOptions } from './deviceOptions.ts';
import { lessonActions } from './lessonActions.ts';
import { LessonNotices } from './lessonNotices.ts';
import { lessonView } from './lessonView.ts';
import { overReason } from './overReason.ts';
import { Unread } from './unread.ts';
import { useLessonSayings } from './useLessonSayings.ts';

export interface InLessonProps {
  lesson: string;
  wish: Wish;
  /** Enters anew after being out. */
  onAgain: () => void;
}

/** Enters, stays, and shows why when it is over. */
export function InLesson({ lesson, wish, onAgain }: InLessonProps) {
  const [session, setSession] = useState<LessonSession>();
  useEffect(() => {
    let gone = false;
    let entered: LessonSession | undefined;
    void enterLesson(lesson, wish).then((made) => {
      entered = made;
      if (gone) made.abandon();
      else setSession(made);
    });
    return () => {
      gone = true;
      entered?.abandon();
    };
  }, []);
  return session ? <Attending session={session} onAgain={onAgain} /> : <Entering />;
}

function Attending({ session, onAgain }: { session: LessonSession; onAgain: () => void }) {
  const [settings, setSettings] = useState(false);
  const parts = useMemo(() => {
    const notices = new LessonNotices(session);
    const unread = new Unread(session);
    return { notices, unread, actions: lessonActions(session, notices, unread, () => setSettings(true)) };
  }, [session]);
  useEffect(() => () => parts.unread.stop(), [parts]);
  useEffect(followDevices, []);
  useLessonSayings(session, parts.notices);

  const cut = session.connection.value.kind === 'cut';
  const now = useNow(cut ? 1_000 : 60_000);
  const over = overReason(session, now);
  useEffect(() => {
    if (over === 'signed_out') accountExpired();
    if (over && over !== 'server_away') setOutside();
  }, [over]);
  const lesson = over ? undefined : session.self.value?.lesson;
  const title = lesson && localized(lesson.subject, language.value);
  useEffect(() => (lesson && title ? nameWhatPlays(title, lesson.group) : undefined), [title, lesson?.group]);
  if (over && over !== 'signed_out') return <Over reason={over} session={session} onAgain={onAgain} />;
  const view = lessonView(session, parts.notices.lines(now), parts.unread, now);
  if (!view) return <Entering />;
  return (
    <>
      <LessonScreen view={view} actions={parts.actions} />
      {settings && <LessonSettings session={session} onClose={() => setSettings(false)} />}
    </>
  );
}

function Entering() {
  return <LoadingPage label={t('lesson.entering')} />;
}

function Over({ reason, session, onAgain }: { reason: OverReason; session: LessonSession; onAgain: () => void }) {
  useEffect(() => () => session.abandon(), []);
  return <OverScreen reason={reason} onEnter={onAgain} onHome={goHome} />;
}

/** Settings with the lesson's devices: a change works while the lesson goes on. */
function LessonSettings({ session, onClose }: { session: LessonSession; onClose: () => void }) {
  const { cameras, microphones, speakers } = deviceLists.value;
  const speaks = session.self.value?.role === 'teacher' || session.self.value?.role === 'student';
  return (
    <SettingsDialog
      onClose={onClose}
      leads={session.self.value?.role === 'teacher'}
      devices={{
        cameras: speaks ? deviceOptions('camera', cameras) : [],
        microphones: speaks ? deviceOptions('microphone', microphones) : [],
        speakers: deviceOptions('speaker', speakers),
        chosen: chosenDevices.value,
        onChoose: (kind, id) => {
          chooseDevice(kind, id);
          if (kind === 'speaker') session.media.useSpeaker(id);
          void session.media.own.choose(kind, id).catch(() => undefined);
        },
      }}
      receive={{
        mode: session.media.receiveMode.value,
        onChoose: (mode) => {
          rememberReceiveMode(mode);
          session.media.setReceiveMode(mode);
        },
        data: session.data.used,
        onBudget: (bytes) => {
          rememberBudget(bytes);
          session.data.setBudget(bytes);
        },
      }}
    />
  );
}
