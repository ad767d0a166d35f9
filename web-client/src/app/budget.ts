/** What a lesson may cost on this device, in bytes; remembered, since the data plan is the device's. */
const memory = 'qism.budget';

export function rememberedBudget(): number | null {
  try {
    const kept = Number(localStorage.getItem(memory));
    return Number.isSafeInteger(kept) && kept > 0 ? kept : null;
  } catch {
    /* A private window remembers nothing. */
    return null;
  }
}

export function rememberBudget(bytes: number | null): void {
  try {
    if (bytes === null) localStorage.removeItem(memory);
    else localStorage.setItem(memory, String(bytes));
  } catch {
    /* The choice then lasts as long as the lesson. */
  }
}
