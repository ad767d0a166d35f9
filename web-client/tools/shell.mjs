// Tells the service worker what every page needs: the entry with everything that loads with it. Other languages and what
// loads later are cached when somebody uses them.
import { createHash } from 'node:crypto';
import fs from 'node:fs';

const dist = new URL('../dist/', import.meta.url);
const manifest = JSON.parse(fs.readFileSync(new URL('.vite/manifest.json', dist), 'utf8'));

function eager(key, files = new Set()) {
  const chunk = manifest[key];
  if (!chunk || files.has(`/${chunk.file}`)) return files;
  files.add(`/${chunk.file}`);
  for (const style of chunk.css ?? []) files.add(`/${style}`);
  for (const next of chunk.imports ?? []) eager(next, files);
  return files;
}

const files = [...eager('index.html')].sort();
const page = fs.readFileSync(new URL('index.html', dist));
const name = createHash('sha256').update(page).update(files.join()).digest('hex').slice(0, 12);
const worker = new URL('sw.js', dist);
const code = fs.readFileSync(worker, 'utf8');
if (!code.includes('__SHELL__')) throw new Error('sw.js has no place for the shell');
fs.writeFileSync(worker, code.replaceAll('__SHELL__', JSON.stringify({ name: `qism-${name}`, files })));
