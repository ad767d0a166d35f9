import { DirectorHome } from '../screens/home/DirectorHome.tsx';
import { HomePage } from '../screens/home/HomePage.tsx';
import type { SchoolReport } from '../screens/home/report.ts';
import { StudentHome } from '../screens/home/StudentHome.tsx';
import { TeacherHome } from '../screens/home/TeacherHome.tsx';
import type { OwnGroup, TodayLesson } from '../screens/home/today.ts';
import { SignIn } from '../screens/signin/SignIn.tsx';
import { nameNumber, person } from './people.ts';

const day = new Date();
day.setHours(9, 20, 0, 0);
const now = day.getTime();
const minute = 60_000;
const school = { ar: 'الثانوية الإعدادية ابن بطوطة', fr: 'Collège Ibn Battouta', en: 'Ibn Battouta Middle School' };
const mathematics = { ar: 'الرياضيات', fr: 'Mathématiques', en: 'Mathematics' };
const science = { ar: 'علوم الحياة والأرض', fr: 'Sciences de la vie et de la Terre', en: 'Life and Earth Sciences' };
const french = { ar: 'اللغة الفرنسية', fr: 'Français', en: 'French' };
const nothing = () => {};

const lesson = (index: number, more: Partial<TodayLesson>): TodayLesson => ({
  lesson: `lesson-${index}`,
  subject: [mathematics, science, french][index % 3] ?? mathematics,
  group: ['2APIC-1', '1APIC-3', '3APIC-2'][index % 3] ?? '',
  teacher: person(index % 3, 'teacher'),
  starts_at: now + (index * 60 - 20) * minute,
  ends_at: now + (index * 60 + 35) * minute,
  phase: 'waiting',
  unavailable: false,
  students_present: 0,
  students_expected: 30,
  ...more,
});

const today = [
  lesson(0, { phase: 'waiting', students_present: 11 }),
  lesson(1, {}),
  lesson(2, {}),
  lesson(-1, { phase: 'ended' }),
];
const groups: OwnGroup[] = ['2APIC-1', '1APIC-3', '3APIC-2'].map((name, index) => ({
  group: `group-${index}`,
  name,
  subjects: [
    { subject: 's1', name: mathematics },
    { subject: 's2', name: science },
  ],
}));
const reports: SchoolReport[] = [
  {
    at: now - 25 * minute,
    lesson: 'lesson-0',
    subject: mathematics,
    group: '2APIC-1',
    kind: 'removal',
    by: person(0, 'teacher'),
    about: person(5),
    reason: 'disturbing',
    note: 'شغّل موسيقى عدة مرات رغم التنبيه.',
    recent: [
      {
        number: 41,
        chain: '0',
        at: now - 27 * minute,
        sender: null,
        command: 'a',
        event: { type: 'floor_given', user: person(5).user, by: person(0).user },
      },
      {
        number: 42,
        chain: '0',
        at: now - 26 * minute,
        sender: null,
        command: 'b',
        event: { type: 'said', user: person(5).user, to: 'everyone', text: 'lol اسمعو هادي' },
      },
      {
        number: 43,
        chain: '0',
        at: now - 25 * minute,
        sender: null,
        command: 'c',
        event: {
          type: 'removed',
          user: person(5).user,
          by: person(0).user,
          reason: 'disturbing',
          note: null,
          keep_out: true,
        },
      },
    ],
  },
  {
    at: now - 80 * minute,
    lesson: 'lesson-3',
    subject: science,
    group: '1APIC-3',
    kind: 'report',
    by: person(4),
    note: 'Un élève écrit des insultes dans la discussion.',
    recent: [],
  },
];

const page = { name: nameNumber(0), school, now, onSettings: nothing, onSignOut: nothing };

/** Sign-in and home, in every state. */
export const homeStories = {
  'sign-in': () => <SignIn onSignIn={nothing} />,
  'sign-in-wrong': () => <SignIn problem={{ code: 'wrong_credentials' }} onSignIn={nothing} />,
  'sign-in-wait': () => <SignIn problem={{ code: 'too_many_attempts', retryAfterS: 24 }} onSignIn={nothing} />,
  'home-teacher': () => (
    <HomePage {...page}>
      <TeacherHome lessons={today} groups={groups} now={now} onEnter={nothing} onStartNow={nothing} />
    </HomePage>
  ),
  'home-teacher-empty': () => (
    <HomePage {...page}>
      <TeacherHome lessons={[]} groups={groups} now={now} onEnter={nothing} onStartNow={nothing} />
    </HomePage>
  ),
  'home-student': () => (
    <HomePage {...page} name={nameNumber(6)}>
      <StudentHome
        lessons={today.map((each) => (each.lesson === 'lesson-0' ? { ...each, phase: 'open' } : each))}
        now={now}
        onEnter={nothing}
      />
    </HomePage>
  ),
  'home-student-empty': () => (
    <HomePage {...page} name={nameNumber(6)}>
      <StudentHome lessons={[]} now={now} onEnter={nothing} />
    </HomePage>
  ),
  'home-director': () => (
    <HomePage {...page} name={nameNumber(2)}>
      <DirectorHome
        lessons={[
          lesson(0, { phase: 'open', students_present: 27 }),
          lesson(0, {
            lesson: 'x',
            group: '1APIC-3',
            subject: science,
            teacher: person(1),
            phase: 'open',
            students_present: 30,
          }),
          lesson(0, {
            lesson: 'y',
            group: '3APIC-2',
            subject: french,
            teacher: person(2),
            phase: 'paused',
            students_present: 12,
          }),
          ...today.slice(1),
        ]}
        reports={reports}
        now={now}
        onVisit={nothing}
        onRetryReports={nothing}
      />
    </HomePage>
  ),
};
