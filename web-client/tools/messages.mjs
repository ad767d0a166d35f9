// messages/<language>.json (ICU) -> one small ES module per language in src/ui/i18n/compiled, so that no ICU parser travels
// to a phone. English is the list of keys: a missing key or a differing placeholder in another language fails the build.
import fs from 'node:fs';
import { parse, TYPE } from '@formatjs/icu-messageformat-parser';

const source = new URL('../messages/', import.meta.url);
const target = new URL('../src/ui/i18n/compiled/', import.meta.url);
const problems = [];

const read = (language) => JSON.parse(fs.readFileSync(new URL(`${language}.json`, source), 'utf8'));
const languages = fs
  .readdirSync(source)
  .filter((name) => name.endsWith('.json'))
  .map((name) => name.slice(0, -5))
  .sort((a, b) => order(a) - order(b) || a.localeCompare(b));

function order(language) {
  const known = ['ar', 'fr', 'en'].indexOf(language);
  return known < 0 ? 9 : known;
}

/** The arguments of a message. */
function argumentsOf(nodes, found = new Set()) {
  for (const node of nodes) {
    if (node.type !== TYPE.literal && node.type !== TYPE.pound) found.add(node.value);
    for (const option of Object.values(node.options ?? {})) argumentsOf(option.value, found);
  }
  return found;
}

/** JavaScript that builds the text from `a` (arguments) and `f` (formats of the language). */
function code(nodes, counted) {
  const parts = nodes.map((node) => {
    switch (node.type) {
      case TYPE.literal:
        return JSON.stringify(node.value);
      case TYPE.argument:
        return `a.${node.value}`;
      case TYPE.number:
        return `f.number(a.${node.value})`;
      case TYPE.pound:
        return `f.number(a.${counted})`;
      case TYPE.select:
        return `f.select(a.${node.value},${options(node)})`;
      case TYPE.plural:
        return `f.plural(a.${node.value},${options(node)})`;
      default:
        throw new Error(`ICU node ${node.type} is not supported`);
    }
  });
  return parts.length > 0 ? `""+${parts.join('+')}` : '""';
}

function options(node) {
  const entries = Object.entries(node.options).map(
    ([key, option]) => `${JSON.stringify(key)}:()=>${code(option.value, node.value)}`,
  );
  return `{${entries.join(',')}}`;
}

function compile(key, message) {
  const nodes = parse(message);
  const body = code(nodes).replace(/^""\+(?=")/, '');
  return argumentsOf(nodes).size > 0 ? `${JSON.stringify(key)}:(f,a)=>${body},` : `${JSON.stringify(key)}:${body},`;
}

function check(language, english, messages) {
  const names = (message) => [...argumentsOf(parse(message))].sort().join();
  for (const [key, message] of Object.entries(english)) {
    if (!(key in messages)) problems.push(`${language}: ${key} is missing`);
    else if (names(message) !== names(messages[key]))
      problems.push(`${language}: ${key} does not use {${names(message)}}`);
  }
  for (const key of Object.keys(messages)) if (!(key in english)) problems.push(`${language}: ${key} is unknown`);
}

fs.rmSync(target, { recursive: true, force: true });
fs.mkdirSync(target, { recursive: true });
const english = read('en');
const note = '// Written by tools/messages.mjs. Do not edit.\n';
for (const language of languages) {
  const messages = read(language);
  check(language, english, messages);
  const lines = Object.entries(messages).map(([key, message]) => compile(key, message));
  fs.writeFileSync(new URL(`${language}.js`, target), `${note}export default {\n${lines.join('\n')}\n};\n`);
}

const list = languages.map((language) => {
  const messages = read(language);
  const about = { name: messages['lang.name'], dir: messages['lang.direction'], locale: messages['lang.locale'] };
  return `${JSON.stringify(language)}: { ...${JSON.stringify(about)}, load: () => import('./${language}.js') },`;
});
fs.writeFileSync(
  new URL('languages.ts', target),
  `${note}import type { Compiled, Language } from '../message.ts';\n\n/** Every language there is a file of messages for. */\nexport const languages: Readonly<Record<string, Language>> = {\n${list.join('\n')}\n};\nexport type { Compiled };\n`,
);
for (const language of languages)
  fs.writeFileSync(
    new URL(`${language}.d.ts`, target),
    `${note}import type { Compiled } from '../message.ts';\ndeclare const messages: Compiled;\nexport default messages;\n`,
  );
const types = Object.entries(english).map(([key, message]) => {
  const names = [...argumentsOf(parse(message))];
  const shape = names.length > 0 ? `{ ${names.map((name) => `${name}: string | number`).join('; ')} }` : 'undefined';
  return `  ${JSON.stringify(key)}: ${shape};`;
});
fs.writeFileSync(
  new URL('keys.ts', target),
  `${note}/** Every message and its arguments. */\nexport interface Messages {\n${types.join('\n')}\n}\n`,
);

if (problems.length > 0) {
  console.error(problems.join('\n'));
  process.exit(1);
}
console.log(`messages: ${Object.keys(english).length} in ${languages.join(', ')}`);
