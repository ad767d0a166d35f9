import { effect, signal } from '@preact/signals';
import type { Recipients } from '../../../protocol/generated.ts';
import { tabMemory } from '../../../signal/memory.ts';
import type { LessonView } from './view.ts';

const memory = 'qism.draft';

interface Kept {
  writer: string;
  text: string;
  to: Recipients;
}

/** Kept outside the composer and over a reload: changing tab, language, layout or page loses no half-written line. */
export const draft = signal('');
export const recipients = signal<Recipients>('everyone');

/** Whose draft it is, in which lesson. */
let owner = '';

effect(() => {
  const kept: Kept = { writer: owner, text: draft.value, to: recipients.value };
  if (owner) tabMemory.remember(memory, JSON.stringify(kept));
});

/** On a shared phone the next student finds no draft, in the next lesson nobody does. */
export function ownDraft({ info, me }: LessonView): void {
  const writer = `${info.lesson} ${me.user}`;
  if (owner === writer) return;
  const kept = remembered();
  owner = writer;
  draft.value = kept?.writer === writer ? kept.text : '';
  recipients.value = kept?.writer === writer ? kept.to : 'everyone';
}

function remembered(): Kept | undefined {
  try {
    return JSON.parse(tabMemory.recall(memory) ?? '') as Kept;
  } catch {
    return undefined;
  }
}
