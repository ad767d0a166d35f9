import { signal } from '@preact/signals';
import { erase, people, type SchoolPeople } from '../school/api.ts';
import { expireOn } from './account.ts';

/** The people of the school, once somebody asked for them. */
export const schoolPeople = signal<SchoolPeople | 'failed' | undefined>(undefined);

export async function refreshPeople(): Promise<void> {
  try {
    schoolPeople.value = await people();
  } catch (error) {
    expireOn(error);
    if (schoolPeople.value === undefined) schoolPeople.value = 'failed';
  }
}

/** Erases somebody for good; false: nothing was. */
export async function erasePerson(user: string, login: string): Promise<boolean> {
  try {
    await erase(user, login);
  } catch (error) {
    expireOn(error);
    return false;
  }
  await refreshPeople();
  return true;
}

/** Nothing of one account is shown to the next. */
export function forgetPeople(): void {
  schoolPeople.value = undefined;
}
