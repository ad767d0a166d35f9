import type { Wish } from './check.ts';

const memory = 'qism.wish';

/** What the person started with last time; a teacher's microphone is on unless it was switched off. */
export function rememberedWish(teacher: boolean): Wish {
  const otherwise: Wish = { microphone: teacher, camera: false };
  try {
    return { ...otherwise, ...(JSON.parse(localStorage.getItem(memory) ?? '{}') as Partial<Wish>) };
  } catch {
    return otherwise;
  }
}

/** Private windows may refuse: then every lesson starts as the first one. */
export function rememberWish(wish: Wish): void {
  try {
    localStorage.setItem(memory, JSON.stringify(wish));
  } catch {
    /* Nothing to do: see above. */
  }
}
