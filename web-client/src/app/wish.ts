import { browserMemory } from '../signal/memory.ts';
import type { Wish } from './check.ts';

const memory = 'qism.wish';

/** What the person started with last time; a teacher's microphone is on unless it was switched off. */
export function rememberedWish(teacher: boolean): Wish {
  const otherwise: Wish = { microphone: teacher, camera: false };
  try {
    return { ...otherwise, ...(JSON.parse(browserMemory.recall(memory) ?? '{}') as Partial<Wish>) };
  } catch {
    return otherwise;
  }
}

/** The network is another one the next time. */
export function rememberWish({ microphone, camera }: Wish): void {
  browserMemory.remember(memory, JSON.stringify({ microphone, camera }));
}
