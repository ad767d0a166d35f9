import { type Signal, signal } from '@preact/signals';
import type { FunctionComponent } from 'preact';

/** A part of the app that is fetched when somebody may want it: the sign-in and the *join* button do not wait for it. */
export interface Part<Props> {
  /** Undefined until it is here. */
  readonly page: Signal<FunctionComponent<Props> | undefined>;
  /** It did not come, and will not as long as the page lives: whoever needs it starts over. */
  readonly isMissing: Signal<boolean>;
  /** Fetches it, once. */
  load(): Promise<void>;
}

function part<Props>(fetch: () => Promise<FunctionComponent<Props>>): Part<Props> {
  const page = signal<FunctionComponent<Props> | undefined>(undefined);
  const isMissing = signal(false);
  let asked = false;
  const load = async () => {
    if (asked) return;
    asked = true;
    try {
      page.value = await fetch();
    } catch {
      isMissing.value = true;
    }
  };
  return { page, isMissing, load };
}

/** The lesson itself. */
export const lessonPart = part(async () => (await import('./InLesson.tsx')).InLesson);

/** Home of those who look after schools and servers. */
export const officePart = part(async () => (await import('./OfficeRoute.tsx')).OfficeRoute);
