// ./dev screenshots: pictures of every screen, as the sample data fills it, with a running instance where there is QEMU.

import { join } from 'node:path';
import { Api, until } from '../support/api.ts';
import { prepare, screens } from '../support/screens.ts';
import { guestImage, Server } from '../support/server.ts';
import { expect, hydrated, signIn, test as base } from '../support/test.ts';
import { people } from '../support/people.ts';

// One server for all pictures.
const test = base.extend<object, { server: Server }>({
  server: [async ({}, use) => {
    const server = await Server.start({ guests: guestImage !== undefined });
    const api = await Api.as(server);
    await prepare(api);
    if (guestImage) await until('an instance runs', async () => (await api.instances()).find(({ state }) => state === 'running'), 180);
    await api.dispose();
    await use(server);
    await server.dispose();
  }, { scope: 'worker', timeout: 300_000 }],
});

const looks = (['light', 'dark'] as const).flatMap((colorScheme) => [
  { colorScheme, name: 'wide', viewport: { width: 1280, height: 800 } },
  { colorScheme, name: 'phone', viewport: { width: 390, height: 844 } },
]);

test('every screen', async ({ page, api, words, expected }) => {
  test.setTimeout(1_200_000);
  expected.answer(404, /^\/nowhere$/);
  const keep = async (name: string) => {
    await page.evaluate(() => document.fonts.ready);
    for (const { colorScheme, name: kind, viewport } of looks) {
      await page.setViewportSize(viewport);
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      const path = join('..', 'screenshots', `${words}-${colorScheme}-${kind}`, `${name}.png`);
      await page.screenshot({ path, animations: 'disabled' });
    }
    await page.setViewportSize(looks[0]!.viewport);
  };
  await page.goto('/sign-in');
  await hydrated(page);
  await keep('sign-in');
  await signIn(page);
  await page.goto('/volumes');
  await hydrated(page);
  // The reminder of the recovery kit has a picture of its own.
  await keep('reminder');
  await page.locator('form[action="/kit/later"] button').click();
  await expect(page.locator('form[action="/kit/later"]')).toHaveCount(0);
  for (const [name, path] of Object.entries(await screens(api))) {
    await page.goto(path);
    await hydrated(page);
    if (path.includes('dialog=')) await expect(page.getByRole('dialog')).toBeVisible();
    await expect(page.locator('.busy-line')).toHaveCount(0);
    await keep(name);
  }
  // What is open for a moment: menus, the tasks, the pages on a phone.
  await page.goto('/volumes');
  await hydrated(page);
  await page.locator('.list .act button').first().click();
  await keep('menu');
  await page.keyboard.press('Escape');
  for (const [name, button] of Object.entries({ account: '.avatar', tasks: '.tasks' })) {
    await page.locator(button).click();
    await keep(name);
    await page.keyboard.press('Escape');
  }
  await page.setViewportSize({ width: 390, height: 844 });
  await page.locator('.rail .pages').click();
  await keep('pages');
});

test('an empty console, and one that may only look', async ({ visitor, words }) => {
  for (const [name, who] of Object.entries({ empty: people.stranger, viewer: people.viewer })) {
    const page = await visitor(who);
    for (const path of ['instances', 'volumes', 'snapshots', 'templates']) {
      await page.goto(`/${path}`);
      await hydrated(page);
      await page.screenshot({ path: join('..', 'screenshots', `${words}-light-wide`, `${name}-${path}.png`), animations: 'disabled' });
    }
  }
});
