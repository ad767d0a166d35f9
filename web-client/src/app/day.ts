import { signal } from '@preact/signals';
import {
  ApiError,
  type Outage,
  outageOf,
  reports,
  type SchoolReport,
  startNow,
  type Today,
  today,
} from '../school/api.ts';
import { expireOn } from './account.ts';

/** Today's lessons as far as they are known; an old list stays while a new one cannot be had. */
export interface Day {
  today: Today | undefined;
  /** Why the last try to renew it came to nothing. */
  outage: Outage | undefined;
  /** The server's clock minus ours. */
  clockOffsetMs: number;
}

export const day = signal<Day>({ today: undefined, outage: undefined, clockOffsetMs: 0 });
export const schoolReports = signal<readonly SchoolReport[] | 'failed' | undefined>(undefined);

const refreshMs = 10_000;

/** Keeps today's lessons fresh while the page is looked at; returns how to stop. */
export function followDay(withReports: boolean): () => void {
  const refresh = () => {
    if (document.hidden) return;
    void refreshDay();
    if (withReports) void refreshReports();
  };
  refresh();
  const timer = setInterval(refresh, refreshMs);
  document.addEventListener('visibilitychange', refresh);
  return () => {
    clearInterval(timer);
    document.removeEventListener('visibilitychange', refresh);
  };
}

export async function refreshDay(): Promise<void> {
  try {
    const answer = await today();
    day.value = { today: answer, outage: undefined, clockOffsetMs: answer.now - Date.now() };
  } catch (error) {
    expireOn(error);
    day.value = { ...day.value, outage: outageOf(error) ?? 'unavailable' };
  }
}

export async function refreshReports(): Promise<void> {
  try {
    schoolReports.value = (await reports()).reports;
  } catch (error) {
    expireOn(error);
    if (schoolReports.value === undefined) schoolReports.value = 'failed';
  }
}

/** A lesson that was opened, or why it was not. */
export type Started = { lesson: string } | { problem: 'not_taught' | Outage | 'other' };

/** Opens a lesson outside the timetable. */
export async function openLessonNow(group: string, subject: string | undefined): Promise<Started> {
  try {
    return { lesson: (await startNow(group, subject)).lesson };
  } catch (error) {
    expireOn(error);
    if (error instanceof ApiError && error.code === 'not_allowed') return { problem: 'not_taught' };
    return { problem: outageOf(error) ?? 'other' };
  }
}

/** Nothing of one account is shown to the next. */
export function forgetDay(): void {
  day.value = { today: undefined, outage: undefined, clockOffsetMs: 0 };
  schoolReports.value = undefined;
}
