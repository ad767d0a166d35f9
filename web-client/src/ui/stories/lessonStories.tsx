import { signal } from '@preact/signals';
import { useMemo } from 'preact/hooks';
import { LessonScreen } from '../screens/lesson/LessonScreen.tsx';
import type { ChatItem, LessonActions, LessonPerson, LessonView } from '../screens/lesson/view.ts';
import { paintedStream } from './paintedStream.ts';
import { person } from './people.ts';

const now = Date.now();
const silent = new Proxy({}, { get: () => () => {} }) as LessonActions;

const someone = (index: number, more: Partial<LessonPerson> = {}): LessonPerson => ({
  ...person(index, more.role),
  me: false,
  presence: 'present',
  visit: false,
  floor: false,
  cameraGrant: null,
  microphone: 'none',
  camera: false,
  screen: false,
  ...more,
});

const teacher = someone(0, { role: 'teacher', microphone: 'on', camera: true });
const speaker = someone(6, { floor: true, microphone: 'on', camera: true, cameraGrant: 'everyone' });
const director = someone(2, { role: 'director', visit: true });
const students = [1, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13].map((index) =>
  someone(index, {
    presence: index === 5 ? 'cut' : index > 10 ? 'expected' : 'present',
    microphone: index === 4 ? 'muted' : 'none',
  }),
);

const line = (index: number, author: LessonPerson, text: string | null, more: Partial<ChatItem> = {}): ChatItem => ({
  key: `line-${index}`,
  number: index,
  author,
  mine: author.me,
  toTeachers: false,
  text,
  at: now - (20 - index) * 60_000,
  state: 'sent',
  ...more,
});

function lines(me: LessonPerson): ChatItem[] {
  return [
    line(1, teacher, 'السلام عليكم، نبدأ اليوم بمعادلة من الدرجة الأولى: 3x + 5 = 20'),
    line(2, students[0] ?? me, 'وعليكم السلام أستاذة'),
    line(3, students[1] ?? me, 'Bonjour madame, je n’entends pas bien le début.'),
    line(4, students[1] ?? me, 'C’est bon maintenant'),
    line(5, me, 'الجواب هو x = 5 لأن 15 ÷ 3 = 5'),
    line(6, students[2] ?? me, null),
    line(7, students[3] ?? me, 'واش نقدر نعاود التمرين 4؟', { toTeachers: true }),
    line(8, teacher, 'التمارين هنا: https://qism.example/cours/2apic/equations?page=4 و https://example.org/'),
    line(9, me, 'شكرا', { number: undefined, state: 'pending' }),
  ];
}

function view(me: LessonPerson, more: Partial<LessonView> = {}): LessonView {
  const leads = me.role === 'teacher';
  const people = [teacher, speaker, ...students].map((each) => (each.user === me.user ? me : each));
  if (!people.includes(me)) people.push(me);
  return {
    info: {
      lesson: 'lesson',
      subject: { ar: 'الرياضيات', fr: 'Mathématiques', en: 'Mathematics' },
      group: '2APIC-1',
      teacher: teacher.user,
      starts_at: now - 20 * 60_000,
      ends_at: now + 35 * 60_000,
    },
    phase: 'open',
    begun: true,
    locked: false,
    chatMode: 'open',
    slowModeS: 0,
    me,
    rights: { leads, removes: leads, ends: leads, speaks: true, writes: true },
    people,
    wholeRoster: true,
    studentsPresent: 9,
    keptOut: [],
    hands: [],
    handPlace: undefined,
    stage: { kind: 'screen', of: teacher },
    tiles: [],
    speaking: signal(new Set([teacher.user])),
    videoOf: () => undefined,
    microphone: leads ? 'on' : 'off',
    cameraTrack: 'off',
    screenTrack: 'off',
    canShareScreen: true,
    receiveMode: 'everything',
    showsVideo: true,
    picturesRest: undefined,
    cameraRests: false,
    data: signal({ bytes: 7_430_000, budget: null, pictures: 'full' }),
    chat: { items: lines(me), more: true, loadingOlder: false, unread: 0 },
    notices: [],
    soundLocked: false,
    clockOffsetMs: 0,
    ...more,
  };
}

const asStudent = { ...(students[0] as LessonPerson), me: true };
const asTeacher = { ...teacher, me: true };
const hands = [students[1], students[2], students[5]].map((each, index) => ({
  person: each as LessonPerson,
  since: now - (100 - index * 37) * 1000,
}));

function Told({ of }: { of: LessonView }) {
  const videoOf = useMemo(() => {
    const made = new Map<string, MediaStream>();
    return (user: string, source: string) => {
      const key = `${user} ${source}`;
      if (!made.has(key)) made.set(key, paintedStream(source === 'screen' ? 'screen' : user));
      return made.get(key);
    };
  }, []);
  return <LessonScreen view={{ ...of, videoOf }} actions={silent} />;
}

/** The lesson, by role and moment. */
export const lessonStories = {
  'lesson-teacher': () => (
    <Told
      of={view(asTeacher, {
        stage: { kind: 'person', of: speaker },
        tiles: [asTeacher],
        hands,
        cameraTrack: 'on',
        speaking: signal(new Set([speaker.user])),
      })}
    />
  ),
  'lesson-teacher-alone': () => (
    <Told
      of={view(
        { ...asTeacher, camera: false },
        { stage: { kind: 'alone' }, chat: { items: [], more: false, loadingOlder: false, unread: 0 } },
      )}
    />
  ),
  'lesson-teacher-screen': () => (
    <Told
      of={view(
        { ...asTeacher, screen: true },
        {
          stage: { kind: 'own_screen' },
          tiles: [speaker, asTeacher],
          hands: hands.slice(0, 1),
          screenTrack: 'on',
          cameraTrack: 'on',
          chat: { items: lines(asTeacher), more: true, loadingOlder: false, unread: 4 },
        },
      )}
    />
  ),
  'lesson-student': () => <Told of={view(asStudent, { tiles: [teacher, speaker], handPlace: 3 })} />,
  'lesson-student-face': () => <Told of={view(asStudent, { stage: { kind: 'person', of: teacher }, tiles: [] })} />,
  'lesson-student-voice': () => (
    <Told
      of={view(asStudent, {
        stage: { kind: 'person', of: { ...teacher, camera: false } },
        receiveMode: 'voice',
        chatMode: 'questions',
      })}
    />
  ),
  'lesson-student-floor': () => {
    const me = { ...asStudent, floor: true, cameraGrant: 'everyone' as const, microphone: 'on' as const };
    return <Told of={view(me, { tiles: [teacher, me], microphone: 'on' })} />;
  },
  'lesson-student-waiting': () => (
    <Told
      of={view(asStudent, {
        phase: 'waiting',
        stage: { kind: 'waiting' },
        chat: { items: [], more: false, loadingOlder: false, unread: 0 },
      })}
    />
  ),
  'lesson-student-paused': () => <Told of={view(asStudent, { phase: 'paused', stage: { kind: 'paused' } })} />,
  'lesson-student-cut': () => (
    <Told
      of={view(asStudent, {
        tiles: [teacher],
        notices: [
          {
            key: 'cut',
            tone: 'danger',
            icon: 'network',
            text: 'انقطع الاتصال. إعادة الاتصال… 7 ثوانٍ',
            closable: false,
          },
          {
            key: 'visit',
            tone: 'accent',
            icon: 'eye',
            text: 'زيارة سلمى أيت أوفقير (مدير(ة) المؤسسة)',
            closable: true,
          },
        ],
        chat: {
          items: [
            ...lines(asStudent),
            line(10, asStudent, 'هل تسمعونني؟', { state: 'failed', number: undefined, failure: 'slow_mode' }),
          ],
          more: false,
          loadingOlder: false,
          unread: 0,
        },
      })}
    />
  ),
  'lesson-visitor': () => (
    <Told
      of={view(
        { ...director, me: true },
        { tiles: [teacher], rights: { leads: false, removes: true, ends: true, speaks: false, writes: false } },
      )}
    />
  ),
};
