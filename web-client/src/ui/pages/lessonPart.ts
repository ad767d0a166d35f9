import { signal } from '@preact/signals';
import type { FunctionComponent } from 'preact';
import type { InLessonProps } from './InLesson.tsx';

/** The lesson itself comes as its own part of the app: the sign-in and the *join* button do not wait for it. */
export const lessonPart = signal<FunctionComponent<InLessonProps> | undefined>(undefined);

let asked = false;

/** Fetches it; called as soon as somebody may want it. A failed fetch may be tried again. */
export async function loadLessonPart(): Promise<void> {
  if (asked) return;
  asked = true;
  try {
    const { InLesson } = await import('./InLesson.tsx');
    lessonPart.value = InLesson;
  } catch {
    asked = false;
  }
}
