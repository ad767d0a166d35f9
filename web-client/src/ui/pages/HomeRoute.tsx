import { useEffect, useState } from 'preact/hooks';
import { closeAccount, holds } from '../../app/account.ts';
import { day, followDay, forgetDay, openLessonNow, refreshDay, type Started } from '../../app/day.ts';
import { forgetPeople } from '../../app/people.ts';
import { goToLesson } from '../../app/route.ts';
import { started, startOver } from '../../app/startOver.ts';
import type { Me, Today } from '../../school/api.ts';
import { t } from '../i18n/index.ts';
import { announceNow } from '../kit/announce.ts';
import { Banner } from '../kit/Banner.tsx';
import { Button } from '../kit/Button.tsx';
import { EmptyState } from '../kit/EmptyState.tsx';
import { Spinner } from '../kit/Spinner.tsx';
import { useNow } from '../kit/useNow.ts';
import { HomePage } from '../screens/home/HomePage.tsx';
import { StudentHome } from '../screens/home/StudentHome.tsx';
import { TeacherHome } from '../screens/home/TeacherHome.tsx';
import { useTitle } from '../shell/useTitle.ts';
import { overseesSchool, watchesFleet } from './offices.ts';
import { lessonPart, officePart } from './parts.ts';
import { SettingsDialog } from '../screens/settings/SettingsDialog.tsx';

const refreshMs = 10_000;
/** After the home page is drawn and its lessons are asked for. */
const idleMs = 1_500;

const outageWords = { unreachable: 'signIn.noAnswer', unavailable: 'home.unavailable' } as const;

/** Home over today's lessons, drawn by role; somebody with two roles gets both. */
export function HomeRoute({ me }: { me: Me }) {
  useTitle();
  const hasOffice = overseesSchool(me) || watchesFleet(me);
  const { today, outage, clockOffsetMs } = day.value;
  const now = useNow(refreshMs, clockOffsetMs);
  const Office = officePart.page.value;
  const [settings, setSettings] = useState(false);
  useEffect(() => followDay(holds(me, 'director')), [me]);
  useEffect(() => {
    const soon = setTimeout(() => void lessonPart.load(), idleMs);
    return () => clearTimeout(soon);
  }, []);
  const isMissing = officePart.isMissing.value;
  useEffect(() => {
    if (hasOffice) void officePart.load();
    if (Office) started();
    if (isMissing) void startOver();
  }, [hasOffice, Office, isMissing]);

  const signOut = () => {
    forgetDay();
    forgetPeople();
    void closeAccount();
  };
  return (
    <HomePage name={me.name} school={me.school.name} now={now} onSettings={() => setSettings(true)} onSignOut={signOut}>
      {!today && !outage && <Spinner label={t('app.loading')} />}
      {!today && outage && (
        <div class="card">
          <EmptyState icon="network" title={t('home.loadFailed')} hint={t(outageWords[outage])}>
            <Button onClick={() => void refreshDay()}>{t('common.retry')}</Button>
          </EmptyState>
        </div>
      )}
      {/* The servers' page says so itself. */}
      {today && outage && !watchesFleet(me) && <Banner tone="warning">{t(outageWords[outage])}</Banner>}
      {today && holds(me, 'teacher') && <Teaching me={me} today={today} now={now} />}
      {today && holds(me, 'student') && <StudentHome lessons={today.lessons} now={now} onEnter={goToLesson} />}
      {hasOffice &&
        (Office ? <Office me={me} today={today} now={now} /> : today && <Spinner label={t('app.loading')} />)}
      {today && !hasOffice && !holds(me, 'teacher', 'student') && (
        <div class="card">
          <EmptyState icon="person" title={t('home.noRole')} />
        </div>
      )}
      {settings && <SettingsDialog onClose={() => setSettings(false)} />}
    </HomePage>
  );
}

type Problem = Extract<Started, { problem: string }>['problem'];

/** Why a lesson did not start, in words that say what to do. */
const problemWords = {
  not_taught: 'home.startNotTaught',
  unreachable: 'home.startNoAnswer',
  unavailable: 'home.startUnavailable',
  other: 'home.startFailed',
} as const;

/** A teacher's own lessons, and a lesson at once. */
function Teaching({ me, today, now }: { me: Me; today: Today; now: number }) {
  const [busy, setBusy] = useState<string>();
  const [problem, setProblem] = useState<Problem>();
  const start = async (group: string, subject: string | undefined) => {
    setBusy(group);
    setProblem(undefined);
    const started = await openLessonNow(group, subject);
    setBusy(undefined);
    if ('lesson' in started) {
      goToLesson(started.lesson);
      return;
    }
    setProblem(started.problem);
    announceNow(t(problemWords[started.problem]));
  };
  return (
    <>
      {problem && <Banner tone="danger">{t(problemWords[problem])}</Banner>}
      <TeacherHome
        lessons={today.lessons.filter((lesson) => lesson.teacher.user === me.user)}
        groups={today.groups}
        now={now}
        busy={busy}
        onEnter={goToLesson}
        onStartNow={start}
      />
    </>
  );
}
