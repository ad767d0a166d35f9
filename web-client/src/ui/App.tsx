import { account, recallNow } from '../app/account.ts';
import { route } from '../app/route.ts';
import { t } from './i18n/index.ts';
import { LiveRegions } from './kit/LiveRegions.tsx';
import { HomeRoute } from './pages/HomeRoute.tsx';
import { LessonRoute } from './pages/LessonRoute.tsx';
import { AwayPage } from './shell/AwayPage.tsx';
import { Failure } from './shell/Failure.tsx';
import { LoadingPage } from './shell/LoadingPage.tsx';
import { SignInRoute } from './pages/SignInRoute.tsx';

/** The page of the moment, by who is signed in and by the address. */
export function App() {
  return (
    <>
      <Failure>
        <Page />
      </Failure>
      <LiveRegions />
    </>
  );
}

function Page() {
  const who = account.value;
  if (who.kind === 'unknown') {
    return who.outage ? <AwayPage outage={who.outage} onRetry={recallNow} /> : <LoadingPage label={t('app.loading')} />;
  }
  if (who.kind === 'out') return <SignInRoute account={who} />;
  const where = route.value;
  if (where.kind === 'lesson') return <LessonRoute key={where.lesson} me={who.me} lesson={where.lesson} />;
  return <HomeRoute me={who.me} />;
}
