/** What the page's security policy wants instead of a plain address; absent in some browsers. */
interface TrustedTypes {
  createPolicy(
    name: string,
    rules: { createScriptURL(address: string): string },
  ): { createScriptURL(a: string): string };
}

const WORKER = '/sw.js';

/** Lets the service worker keep the app's shell, so that a reload without a network still shows the app. */
export function keepShell(): void {
  if (!import.meta.env.PROD || !('serviceWorker' in navigator)) return;
  const { trustedTypes } = globalThis as { trustedTypes?: TrustedTypes };
  const policy = trustedTypes?.createPolicy('qism-shell', { createScriptURL: (address) => address });
  const address = policy ? policy.createScriptURL(WORKER) : WORKER;
  // A page without its worker is still the whole app.
  navigator.serviceWorker.register(address).catch(() => undefined);
}
