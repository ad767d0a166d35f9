import { Approach } from '../lesson/approach.ts';
import { tabSession } from '../signal/tab.ts';

let present: Approach | undefined;
/** Asked for and not used: this tab holds it, so that asking again would yield another. */
let reserved: Promise<string> | undefined;

/** Somebody looks at a lesson's door. */
export function approach(lesson: string): void {
  leaveDoor();
  reserved ??= tabSession();
  present = new Approach(lesson, reserved);
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
  const session = reserved ?? tabSession();
  reserved = undefined;
  return { session: await session, way };
}
