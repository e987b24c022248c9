// ./dev screenshots: pictures of every page and dialog, as the sample data fills them.

import { join } from 'node:path';
import { expect, signIn, test } from '../support/test.ts';
import { Ui } from '../support/ui.ts';

test('every page', async ({ page, api, w }, info) => {
  const ui = new Ui(page, w);
  const keep = async (name: string) => {
    await page.evaluate(() => document.fonts.ready);
    await page.screenshot({ path: join('..', 'screenshots', info.project.name, `${name}.png`), animations: 'disabled' });
  };
  await ui.open('/sign-in');
  await keep('sign-in');
  await signIn(page);
  // The reminder of the recovery kit has a picture of its own.
  await ui.open('/volumes');
  await keep('reminder');
  await page.getByRole('button', { name: w('kit-reminder-later'), exact: true }).click();
  await expect(page.getByRole('region', { name: w('kit-title'), exact: true })).toHaveCount(0);

  const volume = (await api.volume('ROOT-465'))!;
  const name = 'avant-inventaire';
  const snapshot = (await api.snapshot(name)) ?? (await api.takeSnapshot(volume, name));
  for (const [picture, path] of Object.entries({
    volumes: '/volumes',
    'volumes-snapshot': `/volumes?dialog=take-snapshot&volume=${volume.id}`,
    'volumes-create': '/volumes?dialog=create-volume',
    'volumes-import': '/volumes?dialog=import-volume',
    'volumes-delete': `/volumes?dialog=delete-volume&volume=${volume.id}`,
    snapshots: '/snapshots',
    'snapshots-restore': `/snapshots?dialog=restore&snapshot=${snapshot.id}`,
    'snapshots-delete': `/snapshots?dialog=delete-snapshot&snapshot=${snapshot.id}`,
    activity: '/activity',
    kit: '/kit',
    help: '/help/snapshot-or-recovery-point',
  })) {
    await ui.open(path);
    await expect(page.getByRole('heading', { level: 1 })).toBeAttached();
    if (path.includes('dialog=')) await expect(page.getByRole('dialog')).toBeVisible();
    await keep(picture);
  }
});
