import { readFileSync } from 'node:fs';
import { defineConfig, type Plugin } from 'vite';

/** Puts the one inline script into the page; the server's Content-Security-Policy knows it by its hash (src/http/headers.rs). */
const firstLoad: Plugin = {
  name: 'first-load',
  transformIndexHtml: (page) => {
    const script = readFileSync(new URL('src/firstLoad.js', import.meta.url), 'utf8');
    return page.replace(/<meta charset=.*>/, (first) => `${first}\n    <script>${script}</script>`);
  },
};

// The policy allows no other inline script, no inline style and no data: address, so nothing else is inlined. The
// stories are no entry of the build: only index.html is.
export default defineConfig({
  plugins: [firstLoad],
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    manifest: true,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rollupOptions: {
      input: { index: 'index.html', sw: 'src/sw.ts' },
      // The service worker's address never changes: it rules the folder it lies in.
      output: { entryFileNames: ({ name }) => (name === 'sw' ? 'sw.js' : 'assets/[name]-[hash].js') },
    },
  },
  server: {
    // Development against a running `qism demo --listen 127.0.0.1:7880`.
    proxy: {
      '/api': 'http://127.0.0.1:7880',
      '/ws': { target: 'ws://127.0.0.1:7880', ws: true },
    },
  },
});
