/** The page: built to out/renderer, served by both shells under a strict content security policy. */
import path from 'node:path';

import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

export default defineConfig({
  root: import.meta.dirname,
  base: './',
  plugins: [react()],
  build: {
    outDir: path.resolve(import.meta.dirname, '..', 'out', 'renderer'),
    emptyOutDir: true,
    // What Electron 45 and today's browsers speak.
    target: ['chrome140', 'firefox140', 'safari18'],
    // No data: URLs, so that the policy can name 'self' alone.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 2000,
  },
});
