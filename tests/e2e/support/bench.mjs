// What measurements in a network namespace share: a namespace of their own, and where their figures go.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CHROMIUM, launch } from './browser.mjs';
import { keepConnections } from './connections.mjs';
import { eventually, hears } from './identity.mjs';
import { isInside, openFarEnd } from './network.mjs';
import { Person } from './person.mjs';
import { openSchool } from './school.mjs';

/** Starts this program again in a network namespace and ends with it; returns where it runs in one. */
export function enterNamespace() {
  if (isInside()) return;
  const again = ['-n', process.execPath, ...process.argv.slice(1)];
  process.exit(
    spawnSync('unshare', again, { stdio: 'inherit', env: { ...process.env, QISM_NAMESPACE: '1' } }).status ?? 1,
  );
}

/** A school, a browser near it, and one at the far end of a cable; `slow`: of our own, see `openFarEnd`. */
export async function openFarSchool({ slow = false } = {}) {
  const far = openFarEnd(CHROMIUM, { slow });
  const school = await openSchool({ host: '0.0.0.0' });
  far.reach(school.port);
  const near = await launch();
  const away = await launch({ executablePath: far.browser });
  const close = async () => {
    await near.close();
    await away.close();
    await school.close();
    far.close();
  };
  return { far, school, near, away, close };
}

/** A teacher with voice and camera, and a student at the far end who hears them. `how`: of the student, see `Person`. */
export async function enterFarLesson({ school, near, away }, how = {}) {
  const teacher = await Person.open(near, school, { login: 'teacher1', language: 'fr', hz: 440 });
  await teacher.signIn();
  await teacher.enterLesson();
  await teacher.turnCameraOn();
  const student = await Person.open(away, school, { login: 'student1', language: 'fr', ...how });
  await student.context.addInitScript(keepConnections);
  await student.signIn();
  await student.enterLesson({ listenOnly: true });
  await eventually('the student hears', () => hears(student.page, 440));
  return { teacher, student };
}

const folder = join(new URL('../../../', import.meta.url).pathname, 'target', 'bench');

/** Adds to what target/bench/<name>.json has from another program, and shows it. */
export function addFigures(name, figures) {
  const file = join(folder, `${name}.json`);
  const known = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
  writeFigures(name, { ...known, ...figures });
}

/** Writes target/bench/<name>.json and shows it. */
export function writeFigures(name, figures) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${name}.json`), `${JSON.stringify(figures, null, 2)}\n`);
  console.log(figures);
}
