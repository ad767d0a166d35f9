import { holds } from '../../app/account.ts';
import type { Me } from '../../school/api.ts';

export const overseesSchool = (me: Me) => holds(me, 'director', 'supervisor', 'inspector');
export const watchesFleet = (me: Me) => holds(me, 'administrator');
