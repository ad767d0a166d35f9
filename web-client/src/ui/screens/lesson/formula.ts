/** A piece of text, or a formula in it. */
export type FormulaPiece = { text: string } | { text: string; formula: true };

/** What formulas are written with; everything else ends one. */
const run = /[\p{Script=Latin}\p{Script=Greek}\d²³¹⁰-⁹₀-₉()[\]{}|.,'′^_√∛∞∫∑∏∂+\-−±×÷*/·=<>≤≥≠≈≡∈∉⇒⇐⇔→←↔%°! ]+/gu;
/** Without one of these it is a word, a number or a range of pages, which the line's own direction orders rightly. */
const operator = /[=<>≤≥≠≈≡⇒⇐⇔→←↔+−±×÷*^√∛²³]|\d\s*\/\s*\d/u;
const operand = /[\p{Script=Latin}\p{Script=Greek}\d]/u;
const edge = /^(?:[\s.,!']|-(?![\p{L}\d]))+|[\s.,!'-]+$/gu;

/**
 * Cuts Arabic text at its formulas. Left to itself a line of Arabic turns `2 + 3 = 5` into `5 = 3 + 2`, because numbers after Arabic
 * letters are ordered with them.
 */
export function formulasIn(text: string): FormulaPiece[] {
  const pieces: FormulaPiece[] = [];
  let from = 0;
  for (const match of text.matchAll(run)) {
    const formula = balanced(match[0].replace(edge, ''));
    if (!operator.test(formula) || !operand.test(formula)) continue;
    const start = text.indexOf(formula, match.index);
    if (start > from) pieces.push({ text: text.slice(from, start) });
    pieces.push({ text: formula, formula: true });
    from = start + formula.length;
  }
  if (from < text.length) pieces.push({ text: text.slice(from) });
  return pieces;
}

/** Without a bracket at an edge whose partner stands in the Arabic words. */
function balanced(formula: string): string {
  const count = (bracket: string) => formula.split(bracket).length;
  if (formula.startsWith('(') && count('(') > count(')')) return balanced(formula.slice(1).replace(edge, ''));
  if (formula.endsWith(')') && count(')') > count('(')) return balanced(formula.slice(0, -1).replace(edge, ''));
  return formula;
}
