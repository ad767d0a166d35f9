import type { ReceiveMode } from '../protocol/generated.ts';
import { browserMemory } from '../signal/memory.ts';

const memory = 'qism.receive';
const modes: readonly ReceiveMode[] = ['voice', 'voice_and_screen', 'low_video', 'everything'];

/** The remembered mode; on mobile data, which a family pays for, pictures are left out until asked for. */
export function rememberedReceiveMode(): ReceiveMode {
  const kept = browserMemory.recall(memory);
  return modes.find((mode) => mode === kept) ?? (onMobileData() ? 'voice_and_screen' : 'everything');
}

export function rememberReceiveMode(mode: ReceiveMode): void {
  browserMemory.remember(memory, mode);
}

function onMobileData(): boolean {
  const { connection } = navigator as { connection?: { type?: string; saveData?: boolean } };
  return connection?.type === 'cellular' || connection?.saveData === true;
}
