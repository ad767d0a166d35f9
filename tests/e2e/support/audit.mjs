// What a person would stumble over on a screen: axe's rules, content outside the screen, words broken in the middle, targets
// too small to touch, a direction that does not fit the language.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

/** The problems of the page as lines; an empty list is a good screen. Needs a context with `bypassCSP`. */
export async function audit(page, { minTouch = 44 } = {}) {
  await page.evaluate(AXE);
  const width = page.viewportSize().width;
  return page.evaluate(
    async ({ width, minTouch, rules }) => {
      const problems = [];
      const shown = (element) => {
        const box = element.getBoundingClientRect();
        return (
          box.width > 2 &&
          box.height > 2 &&
          element.checkVisibility({ visibilityProperty: true, opacityProperty: true })
        );
      };
      const report = await window.axe.run(document, { runOnly: rules });
      for (const v of report.violations) problems.push(`axe ${v.id} ×${v.nodes.length} ${v.nodes[0].target}`);
      for (const element of document.querySelectorAll('body *')) {
        const box = element.getBoundingClientRect();
        if (shown(element) && !element.closest('.visually-hidden') && (box.right > width + 1 || box.left < -1)) {
          problems.push(
            `outside the screen: ${element.tagName}.${element.className} ${Math.round(box.left)}..${Math.round(box.right)}`,
          );
          break;
        }
      }
      for (const element of document.querySelectorAll('button,a,label,h1,h2,h3,th')) {
        if (!shown(element)) continue;
        const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
        for (let node = walker.nextNode(); node; node = walker.nextNode()) {
          if (!shown(node.parentElement)) continue;
          for (const word of node.data.matchAll(/\S+/g)) {
            const range = document.createRange();
            range.setStart(node, word.index);
            range.setEnd(node, word.index + word[0].length);
            if (new Set([...range.getClientRects()].map((r) => Math.round(r.top))).size > 1)
              problems.push(`word broken: ${word[0]}`);
          }
        }
      }
      for (const element of document.querySelectorAll('button,select,input:not([type=hidden]),[role=button]')) {
        const box = element.getBoundingClientRect();
        if (shown(element) && box.height < minTouch - 0.5)
          problems.push(
            `too small to touch: ${element.tagName} "${element.textContent.slice(0, 20)}" ${Math.round(box.width)}×${Math.round(box.height)}`,
          );
      }
      const root = document.documentElement;
      const rightToLeft = /^(ar|fa|he|ur)\b/.test(root.lang);
      if ((getComputedStyle(root).direction === 'rtl') !== rightToLeft)
        problems.push(`direction does not fit lang ${root.lang}`);
      return problems;
    },
    { width, minTouch, rules: RULES },
  );
}
