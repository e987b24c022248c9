// What needs a real virtual machine: one at a time, French first, then English. ./dev test runs it where there is QEMU.

import { defineConfig } from '@playwright/test';
import type { Options } from './support/test.ts';
import config, { desktop, english, french } from './playwright.config.ts';

export default defineConfig<Options>({
  ...config,
  workers: 1,
  // Processors of guests are emulated where there is no KVM: they start in seconds, and do everything else slower, too.
  timeout: 240_000,
  expect: { timeout: 60_000 },
  projects: [
    { name: 'fr', testMatch: /guest\.spec/, use: { ...desktop, ...french } },
    { name: 'en', testMatch: /guest\.spec/, use: { ...desktop, ...english } },
  ],
});
