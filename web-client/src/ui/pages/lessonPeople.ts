import type { LessonSession, Self } from '../../lessonSession.ts';
import type { Participant, Person } from '../../protocol/generated.ts';
import type { LessonState } from '../../room/state.ts';
import type { LessonPerson } from '../screens/lesson/view.ts';

/** Everybody this person may see, by id: the list joined with who is here. */
export function peopleOf(session: LessonSession, self: Self, state: LessonState): Map<string, LessonPerson> {
  const known = session.people.value;
  const people = new Map<string, LessonPerson>();
  for (const person of known.values()) {
    people.set(person.user, personOf(person, state.participants.get(person.user), self));
  }
  for (const participant of state.participants.values()) {
    if (!people.has(participant.user)) people.set(participant.user, personOf(undefined, participant, self));
  }
  return people;
}

/** Who is listed: students see who is here, staff also who is expected. */
export function isListed(person: LessonPerson, self: Self): boolean {
  if (person.presence !== 'expected') return true;
  return self.role !== 'student' && person.role === 'student';
}

function personOf(person: Person | undefined, here: Participant | undefined, self: Self): LessonPerson {
  const user = person?.user ?? here?.user ?? '';
  const role = here?.role ?? person?.role ?? 'student';
  const published = here?.published ?? [];
  const microphone = published.find(({ source }) => source === 'microphone');
  const maySee = self.role !== 'student' || role !== 'student' || user === self.user || here?.camera === 'everyone';
  return {
    user,
    role,
    name: person?.name,
    me: user === self.user,
    presence: here ? (here.present ? 'present' : 'cut') : 'expected',
    visit: here?.visit ?? false,
    floor: here?.floor ?? false,
    cameraGrant: here?.camera ?? null,
    microphone: microphone ? (microphone.muted ? 'muted' : 'on') : 'none',
    camera: maySee && published.some(({ source }) => source === 'camera'),
    screen: published.some(({ source }) => source === 'screen'),
  };
}
