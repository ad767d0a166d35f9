import { t } from '../../i18n/index.ts';
import { Button } from '../../kit/Button.tsx';
import { Icon } from '../../kit/Icon.tsx';
import { Select } from '../../kit/Select.tsx';
import { Video } from '../lesson/Video.tsx';
import type { CheckActions, CheckView } from './view.ts';

/** The own picture, mirrored as in a mirror; a student's is off until asked for. */
export function CameraCard({ view, actions }: { view: CheckView; actions: CheckActions }) {
  return (
    <section class="check-camera" aria-label={t('check.preview')}>
      <div class="check-preview">
        {view.cameraOn && view.camera ? (
          <Video stream={view.camera} mirrored label={t('check.preview')} />
        ) : (
          <p class="check-preview-off">
            <Icon name="cameraOff" size="huge" />
            {t('check.cameraOff')}
          </p>
        )}
        <div class="check-preview-bar">
          <Button
            kind="stage"
            icon={view.cameraOn ? 'cameraOff' : 'camera'}
            onClick={() => actions.setCamera(!view.cameraOn)}
          >
            {t(view.cameraOn ? 'check.turnCameraOff' : 'check.turnCameraOn')}
          </Button>
        </div>
      </div>
      {!view.teacher && <p class="muted small">{t('check.studentCameraNote')}</p>}
      {view.cameras.length > 1 && (
        <Select
          label={t('device.camera')}
          hideLabel
          value={view.chosen.camera}
          options={view.cameras}
          onChoose={(id) => actions.choose('camera', id)}
        />
      )}
    </section>
  );
}
