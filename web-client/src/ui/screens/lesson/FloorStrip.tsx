import { t } from '../../i18n/index.ts';
import { Button } from '../../kit/Button.tsx';
import { Icon } from '../../kit/Icon.tsx';
import type { LessonActions, LessonView } from './view.ts';
import './FloorStrip.css';

/** What a student with the floor can do now. */
export function FloorStrip({ view, actions }: { view: LessonView; actions: LessonActions }) {
  const camera = view.cameraTrack !== 'off';
  const screen = view.screenTrack !== 'off';
  return (
    <section class="floor-strip" aria-label={t('floor.mine')}>
      <p class="floor-strip-words">
        <Icon name="floor" />
        <span>
          <strong>{t('floor.mine')}</strong>
          {view.microphone === 'off' && <span class="floor-strip-hint">{t('floor.mineHint')}</span>}
        </span>
      </p>
      <Button kind="quiet" onClick={() => actions.takeFloor(view.me.user)}>
        {t('floor.giveBack')}
      </Button>
      {view.me.cameraGrant && (
        <Button
          kind={camera ? 'primary' : 'outline'}
          icon={camera ? 'camera' : 'cameraOff'}
          aria-label={t(camera ? 'bar.cameraOff' : 'bar.cameraOn')}
          aria-pressed={camera}
          onClick={() => actions.setCamera(!camera)}
        >
          {t('bar.camera')}
        </Button>
      )}
      {view.canShareScreen && (
        <Button
          kind={screen ? 'primary' : 'outline'}
          icon={screen ? 'screenOff' : 'screen'}
          aria-label={t(screen ? 'bar.screenOff' : 'bar.screenOn')}
          aria-pressed={screen}
          onClick={() => actions.setScreen(!screen)}
        >
          {t('bar.screen')}
        </Button>
      )}
    </section>
  );
}
