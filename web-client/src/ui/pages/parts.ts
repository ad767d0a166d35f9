import { type Signal, signal } from '@preact/signals';
import type { FunctionComponent } from 'preact';

/** A part of the app that is fetched when somebody may want it: the sign-in and the *join* button do not wait for it. */
export interface Part<Props> {
  /** Undefined until it is here. */
  readonly page: Signal<FunctionComponent<Props> | undefined>;
  /** Fetches it once; after a failed fetch it may be asked for again. */
  load(): Promise<void>;
}

function part<Props>(fetch: () => Promise<FunctionComponent<Props>>): Part<Props> {
  const page = signal<FunctionComponent<Props> | undefined>(undefined);
  let asked = false;
  const load = async () => {
    if (asked) return;
    asked = true;
    try {
      page.value = await fetch();
    } catch {
      asked = false;
    }
  };
  return { page, load };
}

/** The lesson itself. */
export const lessonPart = part(async () => (await import('./InLesson.tsx')).InLesson);

/** Home of those who look after schools and servers. */
export const officePart = part(async () => (await import('./OfficeRoute.tsx')).OfficeRoute);
