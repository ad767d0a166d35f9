// What measurements in a network namespace share: a namespace of their own, and where their figures go.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isInside } from './network.mjs';

/** Starts this program again in a network namespace and ends with it; returns where it runs in one. */
export function enterNamespace() {
  if (isInside()) return;
  const again = ['-n', process.execPath, ...process.argv.slice(1)];
  process.exit(spawnSync('unshare', again, { stdio: 'inherit', env: { ...process.env, QISM_NAMESPACE: '1' } }).status ?? 1);
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
