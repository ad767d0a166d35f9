/**
 * The service worker: the app's shell from its cache, so that a reload in a tunnel still shows the app and its words. Never
 * between the app and the server's answers: /api and /ws pass by.
 */

/** What the browser gives a worker; its own type library does not go together with the page's. */
interface Worker {
  addEventListener(type: 'install' | 'activate', listener: (event: Lasting) => void): void;
  addEventListener(type: 'fetch', listener: (event: Fetched) => void): void;
  skipWaiting(): Promise<void>;
  clients: { claim(): Promise<void> };
}
interface Lasting {
  waitUntil(work: Promise<unknown>): void;
}
interface Fetched {
  readonly request: Request;
  respondWith(answer: Promise<Response>): void;
}

/** Written in by tools/shell.mjs: what every page needs, and a name that changes with it. */
declare const __SHELL__: { name: string; files: string[] };

const SHELL = __SHELL__;
const PAGE = '/';
/** A page that the server has not sent by then comes from the cache. */
const PAGE_MS = 4_000;
/** After a part that no server had, pages come from the cache for so long: the app starts over within a second or two. */
const KEPT_MS = 60_000;
/** Until then. */
let keptUntil = 0;
const worker = self as unknown as Worker;

worker.addEventListener('install', (event) => event.waitUntil(install()));
worker.addEventListener('activate', (event) => event.waitUntil(activate()));
worker.addEventListener('fetch', (event) => {
  const { method, mode, url } = event.request;
  const { origin, pathname } = new URL(url);
  if (method !== 'GET' || origin !== location.origin) return;
  if (pathname.startsWith('/assets/')) event.respondWith(asset(event.request));
  else if (mode === 'navigate' && !pathname.startsWith('/api/')) event.respondWith(page(event.request));
});

/** While servers are renewed another version may answer: its page names other parts, and the browser installs this worker another time. */
async function install(): Promise<void> {
  const page = await fetch(PAGE, { cache: 'no-cache' });
  const named = (await page.clone().text()).match(/\/assets\/[^"]+/g) ?? [];
  const isOurs = named.length > 0 && named.every((part) => SHELL.files.includes(part));
  if (!page.ok || !isOurs) throw new Error('the page of another version');
  const cache = await caches.open(SHELL.name);
  await cache.addAll(SHELL.files);
  await cache.put(PAGE, page);
  await worker.skipWaiting();
}

async function activate(): Promise<void> {
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name !== SHELL.name).map((name) => caches.delete(name)));
  await worker.clients.claim();
}

/** Named by what is in it: the cached one is the right one. Languages are kept when they are first asked for. */
async function asset(request: Request): Promise<Response> {
  const known = await caches.match(request).catch(() => undefined);
  if (known) return known;
  const response = await fetch(request);
  if (response.status === 404) keptUntil = Date.now() + KEPT_MS;
  // On a full phone the app works, only not without a network.
  if (response.ok) await keep(request, response.clone()).catch(() => undefined);
  return response;
}

async function keep(request: Request, response: Response): Promise<void> {
  await (await caches.open(SHELL.name)).put(request, response);
}

/**
 * Every address of the app is the same page. A proxy's word that no server is there is no page of ours. Where a server sent a page that names
 * parts which another one, of another version, did not have, the kept page has all of its own.
 */
async function page(request: Request): Promise<Response> {
  const kept = Date.now() < keptUntil && (await keptPage());
  if (kept) return kept;
  const sent = await fetch(request, { signal: AbortSignal.timeout(PAGE_MS) }).catch((error: unknown) => error);
  if (sent instanceof Response && sent.status < 500) return sent;
  const known = await keptPage();
  if (known) return known;
  if (sent instanceof Response) return sent;
  throw sent;
}

async function keptPage(): Promise<Response | undefined> {
  return (await caches.open(SHELL.name)).match(PAGE);
}
