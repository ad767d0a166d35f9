// A reporter for node:test: the files in which something failed, a line each.
import { relative } from 'node:path';

export default async function* failedFiles(events) {
  const files = new Set();
  for await (const { type, data } of events) if (type === 'test:fail' && data.file) files.add(relative('.', data.file));
  yield [...files].map((file) => `${file}\n`).join('');
}
