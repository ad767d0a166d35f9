// Runs every file of browser tests, one after another. What fails is run once more by itself: passes it then, the run passes and says so at its end.
import { spawnSync } from 'node:child_process';

const FILES = [
  'lesson',
  'codec',
  'language',
  'renewal',
  'screens',
  'states',
  'sound',
  'mishaps',
  'badluck',
  'erasing',
  'access',
  'firefox',
  'cable',
  'network',
  'turn',
  'drain',
  'nodes',
  'ipv6',
  'uplink',
].map((name) => `${name}.test.mjs`);
const PATIENCE_MS = 600_000;
/** More files than this do not fail by chance. */
const SECOND_CHANCES = 3;

let passed = 0;

/** Whether all tests of a file passed; how many did is added up. */
function passes(file) {
  const reporters = { tap: 'stdout', './support/failures.mjs': 'stderr' };
  const options = Object.entries(reporters).flatMap(([reporter, to]) => [
    `--test-reporter=${reporter}`,
    `--test-reporter-destination=${to}`,
  ]);
  const run = ['--test', ...options, `--test-timeout=${PATIENCE_MS}`, file];
  const { status, stdout } = spawnSync(process.execPath, run, {
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
    maxBuffer: 64 << 20,
  });
  process.stdout.write(stdout);
  passed += Number(/^# pass (\d+)$/m.exec(stdout)?.[1] ?? 0);
  return status === 0;
}

const files = process.argv.length > 2 ? process.argv.slice(2) : FILES;
const failed = files.filter((file) => !passes(file));
const hopeless = failed.length > SECOND_CHANCES ? failed : failed.filter((file) => !passes(file));
const byLuck = failed.filter((file) => !hopeless.includes(file));
if (byLuck.length > 0) console.log(`PASSED ONLY THE SECOND TIME, which is a fault to be found: ${byLuck.join(', ')}`);
if (hopeless.length > 0) console.log(`FAILED: ${hopeless.join(', ')}`);
console.log(`${passed} passed, ${hopeless.length} failed`);
process.exitCode = hopeless.length > 0 ? 1 : 0;
