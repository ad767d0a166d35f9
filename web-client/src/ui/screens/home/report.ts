import type { Localized, Logged, Person, RemovalReason } from '../../../protocol/generated.ts';

/** A report or a removal as the director reads it: an entry of `GET /api/reports`. */
export interface SchoolReport {
  at: number;
  lesson: string;
  subject: Localized;
  group: string;
  kind: 'removal' | 'report';
  by: Person;
  about?: Person | null;
  reason?: RemovalReason | null;
  note?: string | null;
  /** The last events before it, oldest first. */
  recent: Logged[];
  /** Names of the people in `recent`, where the server sends them. */
  people?: Person[];
}
