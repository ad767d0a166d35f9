import type { Publication, Slot } from '../protocol/generated.ts';

/** What a handover looks at in a receiving leg. */
export interface Reception {
  /** What the slots carry. */
  readonly slots: ReadonlyMap<Slot, Publication>;
  /** Packets of sound or decoded pictures that came so far, by slot. */
  received(): Promise<ReadonlyMap<Slot, number>>;
}

/** Legs at a server that goes down carry media so long after the move from it. */
export const HANDOVER_MS = 5_000;
const LOOK_MS = 100;

/** Resolves when all that still comes over one leg comes over another one too, or its time is over. */
export async function handover(from: Reception, to: Reception, withinMs: number = HANDOVER_MS): Promise<void> {
  const end = Date.now() + withinMs;
  const before = await from.received();
  while (Date.now() < end) {
    await new Promise((done) => setTimeout(done, LOOK_MS));
    const [still, fresh] = await Promise.all([from.received(), to.received()]);
    const comes = coming(from.slots, before, still);
    const came = coming(to.slots, new Map(), fresh);
    if (fresh.size > 0 && [...comes].every((publication) => came.has(publication))) return;
  }
}

/**
 * The publications that came between two looks. A picture counts as coming once it was there: a page of a shared screen stands still for
 * minutes, a camera that has to begin anew for a moment, and neither may go dark.
 */
function coming(
  slots: ReadonlyMap<Slot, Publication>,
  before: ReadonlyMap<Slot, number>,
  now: ReadonlyMap<Slot, number>,
): Set<string> {
  const least = (slot: Slot, { source }: Publication) =>
    source === 'camera' || source === 'screen' ? 0 : (before.get(slot) ?? 0);
  const come = [...slots].filter(([slot, publication]) => (now.get(slot) ?? 0) > least(slot, publication));
  return new Set(come.map(([, { user, source }]) => `${user} ${source}`));
}
