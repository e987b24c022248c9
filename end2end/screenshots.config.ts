import { defineConfig } from '@playwright/test';
import config, { desktop, english, french } from './playwright.config.ts';
import type { Options } from './support/test.ts';

// Every screen in both languages, light and dark, wide and on a phone.
export default defineConfig<Options>({
  ...config,
  testDir: 'shots',
  workers: 1,
  retries: 0,
  reporter: 'list',
  projects: [
    { name: 'fr', use: { ...desktop, ...french, timezoneId: 'America/Montreal' } },
    { name: 'en', use: { ...desktop, ...english, timezoneId: 'America/Montreal' } },
  ],
});
