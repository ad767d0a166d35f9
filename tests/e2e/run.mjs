// Runs every file of browser tests, one after another. What fails is run once more by itself: passes it then, the run passes and says so at its end.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

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

const folder = mkdtempSync(join(tmpdir(), 'qism-e2e-'));

/** The files that failed, with all that was said on the way to them; null when the runner itself fell. */
function run(files) {
  const failed = join(folder, 'failed');
  const reporters = { tap: 'stdout', './support/failures.mjs': 'stderr', './support/failedFiles.mjs': failed };
  const options = Object.entries(reporters).flatMap(([reporter, to]) => [
    `--test-reporter=${reporter}`,
    `--test-reporter-destination=${to}`,
  ]);
  const limits = ['--test-concurrency=1', `--test-timeout=${PATIENCE_MS}`];
  const { status } = spawnSync(process.execPath, ['--test', ...options, ...limits, ...files], { stdio: 'inherit' });
  if (status === 0) return [];
  const names = readFileSync(failed, 'utf8').split('\n').filter(Boolean);
  return names.length > 0 ? names : null;
}

const first = run(process.argv.length > 2 ? process.argv.slice(2) : FILES);
const again = first && first.length > 0 && first.length <= SECOND_CHANCES ? run(first) : first;
rmSync(folder, { recursive: true, force: true });
if (again?.length === 0 && first.length > 0)
  console.error(`PASSED ONLY THE SECOND TIME, which is a fault to be found: ${first.join(', ')}`);
process.exitCode = again?.length === 0 ? 0 : 1;
