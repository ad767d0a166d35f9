import { useEffect, useMemo } from 'preact/hooks';
import { approach, leaveDoor } from '../../app/approach.ts';
import { DeviceCheck, type Wish } from '../../app/check.ts';
import { chosenDevices, deviceLists, followDevices, rememberCheck } from '../../app/devices.ts';
import type { TodayLesson } from '../../school/api.ts';
import { language } from '../i18n/index.ts';
import { localized } from '../kit/names.ts';
import { CheckScreen } from '../screens/check/CheckScreen.tsx';
import type { CheckActions, CheckView } from '../screens/check/view.ts';
import { deviceOptions } from './deviceOptions.ts';

interface Props {
  lesson: string;
  /** What the list of today says of it. */
  info: TodayLesson | undefined;
  teacher: boolean;
  onEnter: (wish: Wish) => void;
  onBack: () => void;
}

/** The device check over the real devices. */
export function CheckRoute({ lesson, info, teacher, onEnter, onBack }: Props) {
  const check = useMemo(() => new DeviceCheck(), []);
  useEffect(() => {
    const unfollow = followDevices();
    void check.setMicrophone(true);
    void check.setCamera(teacher);
    approach(lesson);
    return () => {
      unfollow();
      check.close();
    };
  }, [check]);

  const enter = (wish: Wish) => {
    void rememberCheck();
    check.close();
    onEnter(wish);
  };
  const actions: CheckActions = {
    setCamera: (on) => void check.setCamera(on),
    setMicrophone: (on) => void check.setMicrophone(on),
    choose: (kind, id) => void check.choose(kind, id),
    retry: () => void check.retry(),
    playBell: () => void check.playBell(),
    measureNetwork: () => void check.measure(),
    join: () => enter(check.wish()),
    listenOnly: () => enter({ microphone: false, camera: false }),
    back: () => {
      leaveDoor();
      onBack();
    },
  };
  return <CheckScreen view={viewOf(check, teacher, info)} actions={actions} />;
}

function viewOf(check: DeviceCheck, teacher: boolean, info: TodayLesson | undefined): CheckView {
  const { cameras, microphones, speakers } = deviceLists.value;
  return {
    teacher,
    subject: info ? localized(info.subject, language.value) : '',
    group: info?.group ?? '',
    running: info?.phase === 'open' || info?.phase === 'paused',
    camera: check.camera.value,
    cameraOn: check.camera.value !== undefined,
    microphoneOn: check.microphoneOn.value,
    level: check.level,
    problem: check.problem.value,
    cameras: deviceOptions('camera', cameras),
    microphones: deviceOptions('microphone', microphones),
    speakers: deviceOptions('speaker', speakers),
    chosen: chosenDevices.value,
    bell: check.bell.value,
    network: check.network.value,
    entering: false,
  };
}
