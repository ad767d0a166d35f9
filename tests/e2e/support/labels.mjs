// The words a user reads, in the language under test, straight from the message files.
import { readFileSync } from 'node:fs';

const cache = new Map();

function messages(language) {
  if (!cache.has(language)) {
    const file = new URL(`../../../web-client/messages/${language}.json`, import.meta.url);
    cache.set(language, JSON.parse(readFileSync(file, 'utf8')));
  }
  return cache.get(language);
}

/** The text of a message without plurals; `args` fill its places. */
export function label(language, key, args = {}) {
  const text = messages(language)[key];
  if (text === undefined) throw new Error(`no message ${key} in ${language}`);
  return text.replace(/\{(\w+)\}/g, (place, name) => args[name] ?? place);
}

/** A pattern that matches a message whatever stands in its places. */
export function pattern(language, key) {
  const escaped = label(language, key).replace(/[.*+?^$()|[\]\\]/g, '\\$&');
  return new RegExp(escaped.replace(/\{(\w+)[^}]*\}/g, '.*'));
}
