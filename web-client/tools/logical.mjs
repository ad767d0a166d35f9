// Style sheets may not say left or right: Arabic reads the other way.
import fs from 'node:fs';
import path from 'node:path';

const root = new URL('../src/', import.meta.url).pathname;
const physical =
  /(^|[\s;{])((min-|max-|margin-|padding-|border-)?(left|right|top|bottom|width|height)|(margin|padding|border)-(left|right|top|bottom)[a-z-]*)\s*:|:\s*(left|right)\b/;
let bad = 0;

for (const name of fs.readdirSync(root, { recursive: true })) {
  if (!name.endsWith('.css')) continue;
  const lines = fs
    .readFileSync(path.join(root, name), 'utf8')
    .replace(/\/\*[\s\S]*?\*\//g, (note) => note.replace(/[^\n]/g, ' '))
    .split('\n');
  lines.forEach((line, index) => {
    if (line.includes('@media') || !physical.test(line)) return;
    console.error(`src/${name}:${index + 1}: not logical: ${line.trim()}`);
    bad += 1;
  });
}
process.exit(bad > 0 ? 1 : 0);
