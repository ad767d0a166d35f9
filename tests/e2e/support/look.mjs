// Looks at a screen: a picture where somebody wants pictures, and the problems a person would have with it.
import { mkdirSync } from 'node:fs';
import { audit } from './audit.mjs';

const PICTURES = process.env.QISM_PICTURES;

/** The problems of the page, each with the name of the screen. */
export async function look(person, name) {
  if (PICTURES) {
    mkdirSync(PICTURES, { recursive: true });
    await person.page.screenshot({ path: `${PICTURES}/${name}.png` });
  }
  return (await audit(person.page)).map((problem) => `${name}: ${problem}`);
}
