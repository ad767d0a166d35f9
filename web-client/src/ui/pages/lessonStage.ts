import type { Phase, ReceiveMode } from '../../protocol/generated.ts';
import type { LessonPerson, StageView } from '../screens/lesson/view.ts';

/** What decides the stage. */
export interface StageFacts {
  phase: Phase;
  me: LessonPerson;
  people: readonly LessonPerson[];
  receiveMode: ReceiveMode;
}

/** What everybody looks at: a screen first, then a face, then a calm word. */
export function stageOf({ phase, me, people, receiveMode }: StageFacts): StageView {
  if (me.role !== 'teacher' && phase === 'waiting') return { kind: 'waiting' };
  if (me.role !== 'teacher' && phase === 'paused') return { kind: 'paused' };
  const here = people.filter((person) => person.presence === 'present');
  const sharer = here.find((person) => person.screen);
  if (sharer?.me) return { kind: 'own_screen' };
  if (sharer) return { kind: receiveMode === 'voice' ? 'screen_off' : 'screen', of: sharer };
  return me.role === 'teacher' ? forTeacher(me, here) : forClass(here);
}

/** The teacher looks at who speaks; with nobody speaking, at the own picture. */
function forTeacher(me: LessonPerson, here: readonly LessonPerson[]): StageView {
  const speakers = here.filter((person) => person.floor && !person.me);
  const speaker = speakers.find((person) => person.camera) ?? speakers[0];
  if (speaker) return { kind: 'person', of: speaker };
  return me.camera ? { kind: 'person', of: me } : { kind: 'alone' };
}

function forClass(here: readonly LessonPerson[]): StageView {
  const teacher = here.find((person) => person.role === 'teacher');
  if (teacher) return { kind: 'person', of: teacher };
  const speaker = here.find((person) => person.floor && !person.me);
  if (speaker) return { kind: 'person', of: speaker };
  return { kind: 'teacher_away' };
}

/** The small pictures: teacher, then who has the floor as the list has them, oneself last. Nobody twice. */
export function tilesOf(stage: StageView, me: LessonPerson, people: readonly LessonPerson[]): LessonPerson[] {
  const onStage = stage.kind === 'person' ? stage.of.user : undefined;
  const others = people.filter(
    (person) =>
      !person.me &&
      person.user !== onStage &&
      person.presence !== 'expected' &&
      person.presence !== 'gone' &&
      sends(person),
  );
  const teachers = others.filter((person) => person.role === 'teacher');
  const speakers = others.filter((person) => person.role !== 'teacher');
  const self = me.user !== onStage && (me.camera || me.floor) ? [me] : [];
  return [...teachers, ...speakers, ...self];
}

function sends(person: LessonPerson): boolean {
  return person.role === 'teacher' || person.floor;
}
