import { browserMemory } from '../signal/memory.ts';

/** What a lesson may cost on this device, in bytes; remembered, since the data plan is the device's. */
const memory = 'qism.budget';

export function rememberedBudget(): number | null {
  const kept = Number(browserMemory.recall(memory));
  return Number.isSafeInteger(kept) && kept > 0 ? kept : null;
}

export function rememberBudget(bytes: number | null): void {
  browserMemory.remember(memory, bytes === null ? null : String(bytes));
}
