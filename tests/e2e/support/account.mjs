// What a test that failed looked like: everybody whose page is open, and every server, gives an account of it.
import { mkdirSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { stripVTControlCharacters } from 'node:util';

const REPOSITORY = new URL('../../../', import.meta.url).pathname;
const PICTURES = join(REPOSITORY, 'target', 'e2e');
/** Nobody who hangs keeps the others from speaking. */
const PATIENCE_MS = 10_000;
const WORDS = 500;
const LINES = 15;

/** Whoever has `account(picture)`: words, or nothing from one that is closed. */
export const witnesses = new Set();

const answered = (asked) =>
  Promise.race([
    Promise.resolve(asked).catch((error) => `(${error.message})`),
    new Promise((done) => setTimeout(done, PATIENCE_MS, '(no answer)').unref()),
  ]);

/** A page: its address, its problems, its words, and a picture of it. */
export async function accountOfPage({ page, login, problems }, picture) {
  if (page.isClosed()) return undefined;
  mkdirSync(PICTURES, { recursive: true });
  const path = join(PICTURES, `${picture}-${login}.png`);
  const taken = await answered(page.screenshot({ path }).then(() => relative(REPOSITORY, path)));
  const words = await answered(page.evaluate(() => document.body.innerText));
  return [
    `${login} at ${page.url()}, picture: ${taken}`,
    ...problems.slice(-LINES).map((problem) => `  problem: ${problem}`),
    `  reads: ${String(words).replace(/\s+/g, ' ').trim().slice(0, WORDS)}`,
  ].join('\n');
}

/** The last that a program said. */
export function accountOfOutput(name, output) {
  const lines = output.trimEnd().split('\n').slice(-LINES);
  return [`${name} said last:`, ...lines.map((line) => `  ${line}`)].join('\n');
}

/** Runs it; its error says beside its own words what everybody saw. */
export async function witnessed(title, run) {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const file = basename(process.argv[1] ?? 'test', '.test.mjs');
    const picture = `${file}-${title}`.replace(/[^\p{Letter}\p{Number}]+/gu, '-').slice(0, 60);
    const accounts = await Promise.allSettled([...witnesses].map(async (witness) => witness.account(picture)));
    const words = accounts.map(({ value, reason }) => value ?? reason?.message);
    const told = [stripVTControlCharacters(error.message), ...words.filter(Boolean)].join('\n');
    // The stack was written with the message of then.
    error.stack = error.stack?.replace(error.message, () => told);
    error.message = told;
    throw error;
  }
}
