// What a phone downloads, gzip, by what it can do then. Fails where the promise is broken.
import fs from 'node:fs';
import zlib from 'node:zlib';

const dist = new URL('../dist/', import.meta.url);
const manifest = JSON.parse(fs.readFileSync(new URL('.vite/manifest.json', dist), 'utf8'));
const gzip = (file) => zlib.gzipSync(fs.readFileSync(new URL(file, dist)), { level: 9 }).length;

/** Everything that loads with an entry, without what it loads later. */
function eager(key, seen = new Set()) {
  const chunk = manifest[key];
  if (!chunk || seen.has(chunk.file)) return seen;
  seen.add(chunk.file);
  for (const style of chunk.css ?? []) seen.add(style);
  for (const next of chunk.imports ?? []) eager(next, seen);
  return seen;
}

const languages = Object.keys(manifest).filter((key) => key.includes('i18n/compiled/'));
const largest = Math.max(0, ...languages.map((key) => gzip(manifest[key].file)));
const size = (files) => [...files].reduce((sum, file) => sum + gzip(file), 0);
const start = eager('index.html');
const later = Object.keys(manifest).filter((key) => manifest[key].isDynamicEntry && !languages.includes(key));
/** What is loaded later by those who look after schools and servers. */
const OFFICE = 'src/ui/pages/OfficeRoute.tsx';
if (!later.includes(OFFICE)) throw new Error(`${OFFICE} is no part of its own`);
const startAnd = (keys) => new Set([...start, ...keys.flatMap((key) => [...eager(key)])]);
const office = startAnd([OFFICE]);
const lesson = startAnd(later.filter((key) => key !== OFFICE));

const rows = [
  ['until a student can press join', size(start) + largest, 65_000],
  ['home of any role', size(office) + largest, 80_000],
  ['in the lesson, everything a student loads', size(lesson) + largest, 120_000],
  // The same part today; what only a teacher needs, such as preparing slides, will count here alone.
  ['in the lesson, everything a teacher loads', size(lesson) + largest, 180_000],
];
let broken = false;
for (const [what, bytes, limit] of rows) {
  console.log(`${what}: ${(bytes / 1000).toFixed(1)} of ${limit / 1000} KB`);
  broken ||= bytes > limit;
}
process.exit(broken ? 1 : 0);
