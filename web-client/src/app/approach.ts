import { Approach } from '../lesson/approach.ts';
import { tabSession } from '../signal/tab.ts';
import { account } from './account.ts';

let present: Approach | undefined;

/** Somebody looks at a lesson's door. */
export function approach(lesson: string): void {
  leaveDoor();
  present = new Approach(lesson, ownSession());
}

/** … and turns away. */
export function leaveDoor(): void {
  present?.end();
  present = undefined;
}

/** The way to a lesson, as far as it is there, and the session that enters by it. */
export async function comeIn(lesson: string): Promise<{ session: string; way: Approach | undefined }> {
  const way = present?.lesson === lesson ? present : undefined;
  present = undefined;
  return { session: await ownSession(), way };
}

function ownSession(): Promise<string> {
  const who = account.value;
  return tabSession(who.kind === 'in' ? who.me.user : '');
}
