import { defineConfig, devices } from '@playwright/test';
import config, { chromium } from './playwright.config.ts';
import type { Options } from './support/test.ts';

const wide = { ...chromium, viewport: { width: 1280, height: 800 }, timezoneId: 'America/Montreal' };
const phone = { ...devices['Pixel 7'], ...chromium, timezoneId: 'America/Montreal' };

// Every page in both languages, light and dark, wide and on a phone.
export default defineConfig<Options>({
  ...config,
  testDir: 'shots',
  retries: 0,
  reporter: 'list',
  projects: (['fr', 'en'] as const).flatMap((words) => (['light', 'dark'] as const).flatMap((colorScheme) => [
    { name: `${words}-${colorScheme}-wide`, use: { ...wide, words, locale: `${words}-CA`, colorScheme } },
    { name: `${words}-${colorScheme}-phone`, use: { ...phone, words, locale: `${words}-CA`, colorScheme } },
  ])),
});
