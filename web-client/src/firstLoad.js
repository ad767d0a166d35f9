/*
 * Stands inside the page itself (vite.config.ts), so that nothing on the way can take it. When the network changes while the app
 * loads, browsers give up its parts, and the page would stay empty; so it would where a server was renewed between the page and its
 * parts. Asks for the page until a server sends it, then starts over. An app that is drawn with its looks looks after itself.
 */
(() => {
  const PAUSE_MS = 1500;
  let lost = false;

  const startOver = () =>
    fetch(location.href, { cache: 'no-store' }).then(
      (answer) => (answer.ok ? location.reload() : setTimeout(startOver, PAUSE_MS)),
      () => setTimeout(startOver, PAUSE_MS),
    );

  const isDrawn = () => document.getElementById('app')?.hasChildNodes();

  const begin = () => {
    if (lost) return;
    lost = true;
    const words = document.createElement('div');
    words.style.cssText = 'margin: 40vh 1rem; text-align: center; font: 1.125rem system-ui';
    // No language is here yet.
    for (const line of ['في انتظار الشبكة…', 'En attente du réseau…', 'Waiting for the network…'])
      words.appendChild(document.createElement('p')).append(`\u2068${line}\u2069`);
    document.body.append(words);
    // The browsers of a school that lost its access point come back each in a moment of its own.
    setTimeout(startOver, PAUSE_MS * (0.5 + Math.random()));
  };

  // A part of the page; such errors do not bubble. What the page itself names is there, or lost, before it is complete.
  const lose = ({ target }) => {
    const isLooks = target.rel === 'stylesheet' && document.readyState !== 'complete';
    if (isLooks || (/^(SCRIPT|LINK)$/.test(target.tagName) && !isDrawn())) begin();
  };
  addEventListener('error', lose, true);
  // A part that the app itself asks for before it draws (main.tsx).
  addEventListener('incomplete', begin);
})();
