import { holds } from '../../app/account.ts';
import { refreshReports, schoolReports } from '../../app/day.ts';
import { erasePerson, refreshPeople, schoolPeople } from '../../app/people.ts';
import { goToLesson } from '../../app/route.ts';
import type { Me, Today } from '../../school/api.ts';
import { DirectorHome } from '../screens/home/DirectorHome.tsx';
import { PeopleSection } from '../screens/people/PeopleSection.tsx';
import { FleetRoute } from './FleetRoute.tsx';
import { overseesSchool, watchesFleet } from './offices.ts';

interface Props {
  me: Me;
  today: Today | undefined;
  /** The server's clock. */
  now: number;
}

/** The parts of home that students and teachers never load: a school's lessons, reports and people; the servers. */
export function OfficeRoute({ me, today, now }: Props) {
  const directs = holds(me, 'director');
  return (
    <>
      {today && overseesSchool(me) && (
        <DirectorHome
          lessons={today.lessons}
          reports={directs ? schoolReports.value : undefined}
          now={now}
          onVisit={goToLesson}
          onRetryReports={() => void refreshReports()}
        />
      )}
      {today && directs && (
        <PeopleSection
          people={schoolPeople.value}
          onWanted={() => void refreshPeople()}
          onErase={(person, login) => erasePerson(person.user, login)}
        />
      )}
      {watchesFleet(me) && <FleetRoute />}
    </>
  );
}
