import type { ChatLine } from '../../room/chat.ts';
import type { ChatItem, LessonPerson } from '../screens/lesson/view.ts';

interface Kept {
  author: LessonPerson | undefined;
  item: ChatItem;
}

/** The same line by the same author is the same item, so that a long chat is not drawn again for every event. */
const kept = new WeakMap<ChatLine, Kept>();

/** The chat's lines with their authors. */
export function chatItems(lines: readonly ChatLine[], people: ReadonlyMap<string, LessonPerson>): ChatItem[] {
  return lines.map((line) => itemOf(line, people.get(line.user)));
}

function itemOf(line: ChatLine, author: LessonPerson | undefined): ChatItem {
  const before = kept.get(line);
  if (before && before.author?.name === author?.name && before.author?.role === author?.role) return before.item;
  const item: ChatItem = {
    key: line.key,
    number: line.number,
    author,
    mine: author?.me ?? false,
    toTeachers: line.to === 'teachers',
    text: line.text,
    at: line.at,
    state: line.state,
    failure: line.failure,
  };
  kept.set(line, { author, item });
  return item;
}
