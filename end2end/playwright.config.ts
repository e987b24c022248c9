import { defineConfig, devices, type PlaywrightTestConfig } from '@playwright/test';
import type { Options } from './support/test.ts';

/** Debian's Chromium; its own housekeeping on the network is switched off, and root needs --no-sandbox. */
export const chromium = {
  browserName: 'chromium' as const,
  launchOptions: {
    executablePath: process.env.REPRISE_CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync',
    ],
  },
};

export const desktop = { ...chromium, viewport: { width: 1280, height: 900 }, timezoneId: 'Europe/Paris' };
export const french = { locale: 'fr-CA', words: 'fr' } as const;
export const english = { locale: 'en-CA', words: 'en' } as const;

// The browser's time zone is not the organization's: what a page shows must not depend on it.
const config: PlaywrightTestConfig<Options> = {
  testDir: 'tests',
  outputDir: 'test-results',
  // What each screen says, by language: tests/screens.spec.ts.
  snapshotPathTemplate: '{testDir}/snapshots/{arg}{ext}',
  fullyParallel: false,
  workers: 2,
  forbidOnly: !!process.env.CI,
  // A test that passes only when tried again is told in the closing table of ./dev test.
  retries: process.env.CI ? 1 : 0,
  // The longest take some 50 s in a whole run, beside other work; a few that go through many pages set more for themselves. A
  // test that hangs ends, one that is slowed down does not fail.
  timeout: 90_000,
  expect: { timeout: 15_000 },
  reporter: [['list'], ['json', { outputFile: process.env.PLAYWRIGHT_JSON_OUTPUT_NAME ?? 'test-results/report.json' }]],
  use: { trace: 'on-first-retry', screenshot: 'only-on-failure' },
  projects: [
    { name: 'fr', testIgnore: /nojs|phone|guest\.spec/, use: { ...desktop, ...french } },
    { name: 'en', testIgnore: /nojs|phone|guest\.spec/, use: { ...desktop, ...english } },
    { name: 'fr-nojs', testMatch: /nojs/, use: { ...desktop, ...french, javaScriptEnabled: false } },
    {
      name: 'phone',
      testMatch: /phone/,
      use: { ...devices['Pixel 7'], ...chromium, ...french, timezoneId: 'Europe/Paris' },
    },
  ],
};

export default defineConfig<Options>(config);
