// On a phone.

import { accessible, expect, signIn, test } from '../support/test.ts';
import { Ui } from '../support/ui.ts';

test('a snapshot is taken with a thumb, and nothing is wider than the screen', async ({ page, api, w, unique }) => {
  const ui = new Ui(page, w);
  const volume = await api.createVolume(unique('telephone'));
  const copy = unique('pouce');
  await signIn(page);
  await ui.open('/volumes');
  await accessible(page, 'volumes on a phone');
  await ui.act(volume.name, 'act-take-snapshot');
  const take = ui.dialog('act-take-snapshot');
  await take.field('take-snapshot-name').fill(copy);
  await accessible(page, 'a dialog on a phone');
  await take.button('dialog-confirm').click();
  await ui.open('/snapshots');
  await expect(ui.row(copy)).toContainText(w('snapshot-state', { state: 'saved' }));
  // What goes beyond the left edge cannot even be scrolled to.
  const tasks = await page.locator('.tasks').boundingBox();
  expect(tasks!.x).toBeGreaterThanOrEqual(0);
  for (const path of ['/volumes', '/snapshots', '/activity', '/help/snapshot-or-recovery-point']) {
    await ui.open(path);
    expect.soft(await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth), path).toBeLessThanOrEqual(0);
  }
});

test('the pages are in a menu, which closes when one is chosen', async ({ page, w }) => {
  const ui = new Ui(page, w);
  await signIn(page);
  await ui.open('/volumes');
  await ui.go('snapshots');
  const link = page.getByRole('navigation', { name: w('frame-nav') }).getByRole('link', { name: w('nav-volumes'), exact: true });
  await expect(link).toBeHidden();
  await page.getByRole('button', { name: w('frame-pages'), exact: true }).click();
  await expect(link).toBeVisible();
  await accessible(page, 'the menu of the pages');
  await page.keyboard.press('Escape');
  await expect(link).toBeHidden();
});

test('the menu of the account offers every appearance, and a card only what there is', async ({ page, w }) => {
  const ui = new Ui(page, w);
  await signIn(page);
  await ui.open('/activity');
  // A sign-in has no object.
  const card = page.getByRole('row').filter({ has: page.getByRole('rowheader', { name: w('activity-sign-in'), exact: true }) }).first();
  await expect(card.locator(`[data-label="${w('activity-column-when')}"]`)).toBeVisible();
  await expect(card.locator(`[data-label="${w('activity-column-subject')}"]`)).toBeHidden();
  await ui.openAccount();
  for (const theme of ['system', 'light', 'dark']) {
    await expect(page.getByRole('button', { name: w(`theme-${theme}`), exact: true })).toBeVisible();
  }
});
