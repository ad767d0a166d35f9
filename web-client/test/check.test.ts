import { afterEach, describe, expect, it, vi } from 'vitest';
import { DeviceCheck } from '../src/app/check.ts';

/** Devices that answer when the test says so. */
function slowDevices() {
  const asked: { stop: () => void; answer: (stream: unknown) => void; refuse: (error: unknown) => void }[] = [];
  const getUserMedia = () =>
    new Promise((answer, refuse) => {
      asked.push({ stop: vi.fn(), answer, refuse });
    });
  vi.stubGlobal('navigator', {
    ...navigator,
    languages: ['ar'],
    mediaDevices: { getUserMedia, enumerateDevices: async () => [] },
  });
  vi.stubGlobal('screen', { width: 1366, height: 768 });
  return asked;
}

describe('the device check', () => {
  afterEach(() => vi.unstubAllGlobals());

  it('wishes for a camera that has not answered yet', () => {
    slowDevices();
    const check = new DeviceCheck();
    void check.setCamera(true);
    expect(check.wish()).toEqual({ microphone: false, camera: true });
  });

  it('stops a camera that answers after the check is over', async () => {
    const asked = slowDevices();
    const check = new DeviceCheck();
    const done = check.setCamera(true);
    check.close();
    const stop = vi.fn();
    asked[0]?.answer({ getTracks: () => [{ stop }] });
    await done;
    expect(stop).toHaveBeenCalledOnce();
    expect(check.camera.value).toBeUndefined();
  });

  it('does not wish for what was refused, and says why', async () => {
    const asked = slowDevices();
    const check = new DeviceCheck();
    const done = check.setCamera(true);
    asked[0]?.refuse(new DOMException('no', 'NotAllowedError'));
    await done;
    expect(check.wish().camera).toBe(false);
    expect(check.problem.value).toBe('denied');
  });

  it('still says that the camera is taken when the microphone answers after it', async () => {
    const asked = slowDevices();
    vi.stubGlobal('AudioContext', undefined);
    const check = new DeviceCheck();
    const both = [check.setMicrophone(true), check.setCamera(true)];
    asked[1]?.refuse(new DOMException('another app', 'NotReadableError'));
    await both[1];
    await check.setMicrophone(false);
    asked[0]?.answer({ getTracks: () => [{ stop: vi.fn() }] });
    await both[0];
    expect(check.problem.value).toBe('busy');
    const again = check.retry();
    expect(asked).toHaveLength(3);
    asked[2]?.answer({ getTracks: () => [{ stop: vi.fn() }] });
    await again;
    expect(check.problem.value).toBeUndefined();
  });
});
