import { signal } from '@preact/signals';
import { CheckScreen } from '../screens/check/CheckScreen.tsx';
import type { CheckActions, CheckView } from '../screens/check/view.ts';
import { OverScreen, type OverReason } from '../screens/over/OverScreen.tsx';
import { SettingsDialog } from '../screens/settings/SettingsDialog.tsx';
import { paintedStream } from './paintedStream.ts';

const silent = new Proxy({}, { get: () => () => {} }) as CheckActions;
const nothing = () => {};
const devices = [
  { value: 'a', label: 'HP TrueVision HD (04f2:b6bf)' },
  { value: 'b', label: 'USB Camera' },
];
const check = (more: Partial<CheckView>): CheckView => ({
  teacher: true,
  subject: 'Mathématiques',
  group: '2APIC-1',
  running: false,
  camera: paintedStream('4'),
  cameraOn: true,
  microphoneOn: true,
  level: signal(0.55),
  problem: undefined,
  cameras: devices,
  microphones: devices,
  speakers: devices,
  chosen: { camera: 'a', microphone: 'a', speaker: 'a' },
  bell: false,
  network: { verdict: 'good', downMbit: 12.4, upMbit: 5.1, delayMs: 42 },
  entering: false,
  ...more,
});

const reasons: OverReason[] = [
  'ended_chosen',
  'left',
  'removed',
  'kept_out',
  'withdrawn',
  'locked',
  'replaced',
  'too_early',
  'server_away',
  'version',
];

/** The device check, the ways out, the settings. */
export const windowStories = {
  'check-teacher': () => <CheckScreen view={check({})} actions={silent} />,
  'check-student': () => (
    <CheckScreen
      view={check({ teacher: false, cameraOn: false, microphoneOn: false, network: 'idle' })}
      actions={silent}
    />
  ),
  'check-denied': () => (
    <CheckScreen
      view={check({ teacher: false, cameraOn: false, microphoneOn: false, problem: 'denied', network: 'running' })}
      actions={silent}
    />
  ),
  settings: () => (
    <main>
      <SettingsDialog
        onClose={nothing}
        devices={{
          cameras: devices,
          microphones: devices,
          speakers: [],
          chosen: { camera: 'a', microphone: 'b', speaker: '' },
          onChoose: nothing,
        }}
        receive={{
          mode: 'voice_and_screen',
          onChoose: nothing,
          data: signal({ bytes: 7_430_000, budget: 25_000_000, pictures: 'spared' }),
          onBudget: nothing,
        }}
      />
    </main>
  ),
  ...Object.fromEntries(
    reasons.map((reason) => [
      `over-${reason}`,
      () => <OverScreen reason={reason} onEnter={nothing} onHome={nothing} />,
    ]),
  ),
};
