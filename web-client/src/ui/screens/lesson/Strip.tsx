import { t } from '../../i18n/index.ts';
import { PersonTile } from './PersonTile.tsx';
import type { LessonView } from './view.ts';

interface Props {
  view: LessonView;
  /** How many tiles may show moving pictures. */
  liveVideos: number;
}

/** One row of small pictures in an order that never changes by itself. */
export function Strip({ view, liveVideos }: Props) {
  if (view.tiles.length === 0) return null;
  const live = liveOnes(view, liveVideos);
  return (
    <section class="lesson-strip" aria-label={t('lesson.strip')} data-scroll>
      {view.tiles.map((person) => (
        <PersonTile
          key={person.user}
          person={person}
          stream={view.videoOf(person.user, 'camera')}
          live={person.me || live.has(person.user)}
          speaking={view.speaking}
        />
      ))}
    </section>
  );
}

/** The first cameras in the row, up to the limit; the own picture costs no network. */
function liveOnes(view: LessonView, limit: number): Set<string> {
  const cameras = view.tiles.filter((person) => person.camera && !person.me);
  return new Set(cameras.slice(0, limit).map((person) => person.user));
}
