// What measurements in a network namespace share: a namespace of their own, and where their figures go.
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isInside } from './network.mjs';

/** Starts this program again in a network namespace and ends with it; returns where it runs in one. */
export function enterNamespace() {
  if (isInside()) return;
  const again = ['-n', process.execPath, ...process.argv.slice(1)];
  process.exit(spawnSync('unshare', again, { stdio: 'inherit', env: { ...process.env, QISM_NAMESPACE: '1' } }).status ?? 1);
}

/** Writes target/bench/<name>.json and shows it. */
export function writeFigures(name, figures) {
  const folder = join(new URL('../../../', import.meta.url).pathname, 'target', 'bench');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${name}.json`), `${JSON.stringify(figures, null, 2)}\n`);
  console.log(figures);
}
