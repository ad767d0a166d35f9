import type { ReceiveMode } from '../protocol/generated.ts';

const memory = 'qism.receive';
const modes: readonly ReceiveMode[] = ['voice', 'voice_and_screen', 'low_video', 'everything'];

/** The remembered mode; on mobile data, which a family pays for, pictures are left out until asked for. */
export function rememberedReceiveMode(): ReceiveMode {
  try {
    const kept = modes.find((mode) => mode === localStorage.getItem(memory));
    if (kept) return kept;
  } catch {
    /* A private window remembers nothing. */
  }
  return onMobileData() ? 'voice_and_screen' : 'everything';
}

export function rememberReceiveMode(mode: ReceiveMode): void {
  try {
    localStorage.setItem(memory, mode);
  } catch {
    /* The choice then lasts as long as the lesson. */
  }
}

function onMobileData(): boolean {
  const { connection } = navigator as { connection?: { type?: string; saveData?: boolean } };
  return connection?.type === 'cellular' || connection?.saveData === true;
}
