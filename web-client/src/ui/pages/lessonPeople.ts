import type { LessonSession, Self } from '../../lesson/session.ts';
import type { Participant, Person } from '../../protocol/generated.ts';
import type { LessonState } from '../../room/state.ts';
import { numberNamesakes } from '../kit/names.ts';
import type { LessonPerson } from '../screens/lesson/view.ts';

/** How long somebody whose line broke is shown as cut off. */
const staysCutMs = 120_000;

/** Everybody this person may see, by id: the list joined with who is here. */
export function peopleOf(
  session: LessonSession,
  self: Self,
  state: LessonState,
  now: number,
): Map<string, LessonPerson> {
  const known = new Map(numberNamesakes([...session.people.value.values()]).map((person) => [person.user, person]));
  const people = new Map<string, LessonPerson>();
  const presence = (user: string) => presenceOf(state, user, now + self.clockOffsetMs);
  for (const person of known.values()) {
    people.set(person.user, personOf(person, state.participants.get(person.user), self, presence));
  }
  for (const participant of state.participants.values()) {
    if (!people.has(participant.user)) people.set(participant.user, personOf(undefined, participant, self, presence));
  }
  return people;
}

/** Who is listed: students see who is here, staff also who is expected; nobody whom the school erased. */
export function isListed(person: LessonPerson, self: Self): boolean {
  if (person.presence === 'present' || person.presence === 'cut') return true;
  const isNamed = Boolean(person.name?.arabic ?? person.name?.latin);
  return self.role !== 'student' && person.role === 'student' && isNamed;
}

/** A line that broke a moment ago is expected back; one that broke long ago is somebody who is gone. */
function presenceOf(state: LessonState, user: string, now: number): LessonPerson['presence'] {
  const here = state.participants.get(user);
  if (!here) return 'expected';
  if (here.present) return 'present';
  return now - (state.cutSince.get(user) ?? 0) < staysCutMs ? 'cut' : 'gone';
}

function personOf(
  person: Person | undefined,
  here: Participant | undefined,
  self: Self,
  presence: (user: string) => LessonPerson['presence'],
): LessonPerson {
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
    presence: presence(user),
    visit: here?.visit ?? false,
    floor: here?.floor ?? false,
    cameraGrant: here?.camera ?? null,
    microphone: microphone ? (microphone.muted ? 'muted' : 'on') : 'none',
    camera: maySee && published.some(({ source }) => source === 'camera'),
    screen: published.some(({ source }) => source === 'screen'),
  };
}
