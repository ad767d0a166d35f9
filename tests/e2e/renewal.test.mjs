// While the servers of a school are renewed, two versions of the app are served under one name: the page comes from one server, its parts from
// whichever is asked. Whoever opens the site meanwhile gets a page that works, and the new version once all have it.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { join } from 'node:path';
import { launch } from './support/browser.mjs';
import { APP, buildWith } from './support/build.mjs';
import { eventually } from './support/identity.mjs';
import { openSchool } from './support/school.mjs';
import { before, describe, opened, test } from './support/scene.mjs';

const NEW = 'La nouvelle version';

/** One name for several servers: `choose` tells for each path which one is asked. */
async function openFront() {
  const front = { choose: undefined, pages: 0, workers: 0 };
  const server = createServer((asked, answer) => {
    const { pathname } = new URL(asked.url, 'http://front');
    if (asked.headers['sec-fetch-mode'] === 'navigate') front.pages += 1;
    if (pathname === '/sw.js') front.workers += 1;
    const to = request(new URL(asked.url, front.choose(pathname).url), {
      method: asked.method,
      headers: { ...asked.headers, connection: 'close' },
    });
    to.once('response', (told) => {
      answer.writeHead(told.statusCode, told.headers);
      told.pipe(answer);
    });
    to.once('error', () => answer.destroy());
    asked.pipe(to);
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  front.url = `http://127.0.0.1:${server.address().port}`;
  front.close = () => {
    server.closeAllConnections();
    return new Promise((done) => server.close(done));
  };
  return front;
}

describe('servers that are renewed', { concurrency: false }, () => {
  const words = JSON.parse(readFileSync(join(APP, 'messages', 'fr.json'), 'utf8'));
  const scene = opened({
    app: () => buildWith('fr', { ...words, 'app.tagline': NEW }),
    old: () => openSchool(),
    renewed: ({ app }) => openSchool({ app: app.dist }),
    front: () => openFront(),
    browser: () => launch(),
  });
  let front, old, renewed;

  before(() => {
    ({ front, old, renewed } = scene);
  });

  async function open() {
    const context = await scene.browser.newContext({ locale: 'fr' });
    const page = await context.newPage();
    await page.goto(front.url);
    return { context, page };
  }

  const shows = (page, text) => page.getByText(text, { exact: true }).waitFor();
  const isPart = (path) => path.startsWith('/assets/');

  test('a new page whose parts no server has gives way to the kept one, at once, and comes when they are there', async () => {
    front.choose = () => old;
    const { context, page } = await open();
    await shows(page, words['app.tagline']);
    await page.evaluate(() => navigator.serviceWorker.ready);
    await eventually('the worker rules the page', () => page.evaluate(() => !!navigator.serviceWorker.controller));
    front.choose = (path) => (isPart(path) ? old : renewed);
    front.pages = 0;
    await page.reload();
    await shows(page, words['app.tagline']);
    assert.ok(front.pages <= 2, `${front.pages} pages were asked for`);
    front.choose = () => renewed;
    // What the browser does by itself a moment after a page was opened.
    await page.evaluate(async () => (await navigator.serviceWorker.getRegistration()).update());
    await eventually('the new worker', () =>
      page.evaluate(async () => {
        const { installing, waiting, active } = await navigator.serviceWorker.getRegistration();
        return !installing && !waiting && active.state === 'activated';
      }),
    );
    await page.reload();
    await shows(page, NEW);
    await context.close();
  });

  test("a page of the old version is not kept with the new one's parts", async () => {
    // Parts come from whoever has them; the worker is the new one, and keeps the page that it is sent.
    const isNew = (path) => path === '/sw.js' || existsSync(join(scene.app.dist, path));
    front.choose = (path) => (path !== '/' && isNew(path) ? renewed : old);
    front.workers = 0;
    const { context, page } = await open();
    await shows(page, words['app.tagline']);
    await eventually('the worker is asked for', () => front.workers > 0);
    await page.waitForFunction(async () => !(await navigator.serviceWorker.getRegistration())?.installing);
    front.choose = () => renewed;
    await page.reload();
    await shows(page, NEW);
    await page.evaluate(() => navigator.serviceWorker.ready);
    // Its words are kept when they are asked for under the worker.
    await page.reload();
    await shows(page, NEW);
    await context.setOffline(true);
    await page.reload();
    await shows(page, words['app.awayTitle']);
    const parts = await page.evaluate(() => [...document.scripts].filter(({ src }) => src).map(({ src }) => src));
    assert.ok(parts.length > 0 && parts.every((part) => isNew(new URL(part).pathname)), parts.join());
    await context.close();
  });
});
