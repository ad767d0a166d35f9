import { defineConfig } from 'vite';

// The server's Content-Security-Policy allows no inline script, style or data: address, so nothing is inlined. The
// stories are no entry of the build: only index.html is.
export default defineConfig({
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
