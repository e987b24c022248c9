// Every screen in both languages: what assistive technology is told (compared with what was looked at once), no finding of
// axe's in light or dark, and no page that is wider than its window, whatever people have named things.

import { Api } from '../support/api.ts';
import { prepare, screens, strange } from '../support/screens.ts';
import { Server } from '../support/server.ts';
import { accessible, expect, signIn, test as base } from '../support/test.ts';
import { Ui } from '../support/ui.ts';

// Its own server: nobody else changes what the pages say.
const test = base.extend<object, { server: Server }>({
  server: [async ({}, use) => {
    const server = await Server.start();
    const api = await Api.as(server);
    await prepare(api);
    // An instance that stands, with points, one of which it was brought back to.
    const instance = await api.createInstance('preprod-web-node01');
    const first = await api.createPoint(instance, 'avant-mise-a-jour');
    await api.createPoint(instance, 'apres-mise-a-jour');
    await api.rollBack(first);
    await api.settled(instance.name, 'stopped');
    await api.dispose();
    await use(server);
    await server.dispose();
  }, { scope: 'worker' }],
});

/** What differs from run to run: dates, times, figures, ids. */
function stable(tree: string): string {
  return tree
    // How full the disk of the machine that tests is.
    .replace(/^ {4}- listitem:\n {6}- paragraph: "?(The primary storage of zone|Le stockage primaire de la zone).*\n( {6}.*\n)*/gm, '')
    .replace(/\/url: .*/g, '/url: …')
    .replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'ID')
    .replace(/\d{1,2}(ᵉʳ)?\s[a-zéû]+\.?\s\d{4}(\sà|,)\s\d{1,2}\sh(\s\d{2})?/gu, 'DATE')
    .replace(/[A-Z][a-z]+\.?\s\d{1,2},\s\d{4}(\sat|,)\s\d{1,2}:\d{2}\s*[ap]\.m\./gu, 'DATE')
    .replace(/\d+[\s\u{a0}](s|min|h)(?=\.")/gu, 'DURATION')
    .replace(/\d+([,.]\d+)?[\s\u{a0}](octets?|bytes?|[KMGT]i[oB])/gu, 'SIZE')
    .replace(/(?<!level=)\d+/g, '0');
}

test('every screen says what it said, and is accessible', async ({ page, api, words, expected }) => {
  test.setTimeout(300_000);
  expected.answer(404, /^\/nowhere$/);
  await signIn(page);
  for (const [name, path] of Object.entries(await screens(api))) {
    await test.step(name, async () => {
      const ui = new Ui(page, () => '');
      await ui.open(path);
      const dialog = page.getByRole('dialog');
      if (path.includes('dialog=')) {
        await expect(dialog).toBeVisible();
        await expect(dialog.locator('.busy-line')).toHaveCount(0);
      }
      await expect(page.locator('[aria-busy="true"]')).toHaveCount(0);
      const root = path.includes('dialog=') ? dialog : page.getByRole('main');
      // What the installation has done by now is another matter each second.
      if (!['zones', 'tasks'].includes(name)) expect.soft(stable(await root.ariaSnapshot()), name).toMatchSnapshot([words, `${name}.yml`]);
      await accessible(page, name);
      for (const width of [320, 768]) {
        await page.setViewportSize({ width, height: 800 });
        const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        expect.soft(over, `${name} at ${width}`).toBeLessThanOrEqual(0);
      }
      await page.setViewportSize({ width: 1280, height: 900 });
    });
  }
});

test('names of any length and script stand whole in their page and are cut only in sight', async ({ page, w }) => {
  const ui = new Ui(page, w);
  await signIn(page);
  await ui.open('/volumes');
  for (const name of strange) {
    const row = ui.row(name);
    await expect(row).toBeVisible();
    const link = row.getByRole('rowheader').getByText(name, { exact: true });
    await expect(link).toHaveText(name);
    // A name that reads from right to left stays in its cell, and turns nothing else around.
    const direction = await row.evaluate((element) => getComputedStyle(element).direction);
    expect(direction).toBe('ltr');
  }
  await ui.act(strange[1]!, 'act-take-snapshot');
  await expect(ui.dialog('act-take-snapshot').root).toContainText(strange[1]!);
});

test('the main path by the keyboard alone', async ({ page, w, unique }) => {
  const ui = new Ui(page, w);
  const copy = unique('clavier');
  const focused = () => page.evaluate(() => document.activeElement?.textContent?.trim() ?? '');
  const tabTo = async (text: string) => {
    for (let presses = 0; presses < 60; presses += 1) {
      await page.keyboard.press('Tab');
      if ((await focused()) === text) return;
    }
    throw new Error(`“${text}” is not reached by Tab`);
  };
  await signIn(page);
  await ui.open('/volumes');
  await tabTo(w('frame-skip'));
  await page.keyboard.press('Enter');
  await page.keyboard.press('Tab');
  expect(await page.evaluate(() => document.activeElement?.closest('main') !== null)).toBe(true);
  // The row's own menu, its first act, the dialog, and back to where one was.
  const opener = ui.row('ROOT-465').getByRole('button', { name: w('act-menu-named', { name: 'ROOT-465' }) });
  await opener.focus();
  await page.keyboard.press('Enter');
  await page.keyboard.press('ArrowDown');
  for (let presses = 0; presses < 10 && (await focused()) !== w('act-take-snapshot'); presses += 1) await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  const take = ui.dialog('act-take-snapshot');
  await expect(take.root).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(take.root).toHaveCount(0);
  await expect(opener).toBeFocused();
  await page.keyboard.press('Enter');
  await page.keyboard.press('ArrowDown');
  for (let presses = 0; presses < 10 && (await focused()) !== w('act-take-snapshot'); presses += 1) await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await take.field('take-snapshot-name').waitFor();
  for (let presses = 0; presses < 10; presses += 1) {
    if (await take.field('take-snapshot-name').evaluate((field) => field === document.activeElement)) break;
    await page.keyboard.press('Tab');
  }
  await page.keyboard.type(copy);
  await page.keyboard.press('Enter');
  await expect(ui.notice(w('started', { kind: 'take-snapshot' }))).toBeVisible();
});
