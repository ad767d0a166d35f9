// Debian's Chromium as a school's browser: fake devices, granted permissions, no request to any other host.
import { tmpdir } from 'node:os';
import { chromium } from 'playwright-core';

export const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
/** The tab a teacher's screen sharing picks. */
export const SHARED_TAB = 'QISM-SHARED-SLIDES';

const ARGS = [
  '--use-fake-device-for-media-stream',
  `--auto-select-tab-capture-source-by-title=${SHARED_TAB}`,
  '--component-updater=url-source=http://127.0.0.1:9/',
  '--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost , EXCLUDE ::1',
];

export const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };
/** The narrowest phone that is still around. */
export const SMALL_PHONE = { viewport: { width: 320, height: 640 }, isMobile: true, hasTouch: true };
export const PHONE_LANDSCAPE = { viewport: { width: 844, height: 390 }, isMobile: true, hasTouch: true };
export const LAPTOP = { viewport: { width: 1366, height: 768 } };

/** Chromium makes a Unix socket in its temporary folder, and dies where the path of that gets longer than 107 bytes. */
const LONGEST_FOLDER = 60;
const ENVIRONMENT = tmpdir().length > LONGEST_FOLDER ? { ...process.env, TMPDIR: '/tmp' } : process.env;

/** Launches the browser; each person of a test is a context of its own in it. `freeSound` lifts the rule that sound needs a tap. */
export function launch({ args = [], freeSound = true, executablePath = CHROMIUM } = {}) {
  const sound = freeSound ? ['--autoplay-policy=no-user-gesture-required'] : [];
  return chromium.launch({
    executablePath,
    headless: true,
    chromiumSandbox: false,
    env: ENVIRONMENT,
    args: [...ARGS, ...sound, ...args],
  });
}
