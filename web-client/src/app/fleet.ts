import { signal } from '@preact/signals';
import { type Fleet, fleet as ask } from '../school/api.ts';
import { expireOn } from './account.ts';

/** The servers as last heard; what was heard stays while nothing new can be had. */
export const fleet = signal<{ seen: Fleet | undefined; failed: boolean }>({ seen: undefined, failed: false });

/** A server tells of itself once a second; silence shows after three. */
const refreshMs = 3_000;

/** Keeps the servers fresh while the page is looked at; returns how to stop. */
export function followFleet(): () => void {
  const refresh = () => {
    if (!document.hidden) void refreshFleet();
  };
  refresh();
  const timer = setInterval(refresh, refreshMs);
  document.addEventListener('visibilitychange', refresh);
  return () => {
    clearInterval(timer);
    document.removeEventListener('visibilitychange', refresh);
    fleet.value = { seen: undefined, failed: false };
  };
}

export async function refreshFleet(): Promise<void> {
  try {
    fleet.value = { seen: await ask(), failed: false };
  } catch (error) {
    expireOn(error);
    fleet.value = { ...fleet.value, failed: true };
  }
}
