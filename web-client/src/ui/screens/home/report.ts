export type { SchoolReport } from '../../../school/api.ts';
