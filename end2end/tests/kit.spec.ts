// The recovery kit: who is reminded of it, who gets it, and that what comes is a file.

import { readFileSync } from 'node:fs';
import { people } from '../support/people.ts';
import { accessible, expect, hydrated, signIn, test } from '../support/test.ts';
import { Ui } from '../support/ui.ts';

test('an Owner is reminded of the recovery kit until it is downloaded', async ({ page, visitor, w }) => {
  const ui = new Ui(page, w);
  const reminder = page.getByRole('region', { name: w('kit-title'), exact: true });
  await signIn(page);
  await ui.open('/volumes?page=1');
  await expect(reminder).toContainText(w('kit-reminder'));
  await accessible(page, 'a page with the reminder');

  const viewer = await visitor(people.viewer);
  await viewer.goto('/kit');
  await hydrated(viewer);
  await expect(viewer.getByText(w('kit-owners'))).toBeVisible();
  await expect(viewer.getByRole('button', { name: w('kit-submit') })).toHaveCount(0);
  await viewer.goto('/volumes');
  await hydrated(viewer);
  await expect(viewer.getByRole('region', { name: w('kit-title'), exact: true })).toHaveCount(0);

  // Put off for this session, on the page where one is; the next session is reminded again.
  await reminder.getByRole('button', { name: w('kit-reminder-later'), exact: true }).click();
  await expect(reminder).toHaveCount(0);
  await expect(page).toHaveURL(/\/volumes\?page=1$/);
  await hydrated(page);
  await ui.go('snapshots');
  await expect(reminder).toHaveCount(0);
  await signIn(page);
  await ui.open('/snapshots');
  await reminder.getByRole('link', { name: w('kit-reminder-save'), exact: true }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(w('kit-title'));
  await expect(reminder).toHaveCount(0);
  await expect(page.getByText(w('kit-never'))).toBeVisible();
  await accessible(page, 'the recovery kit');

  const words = 'cheval agrafe pile correcte';
  const fill = async (passphrase: string, again: string) => {
    await page.getByLabel(w('kit-passphrase'), { exact: true }).fill(passphrase);
    await page.getByLabel(w('kit-again'), { exact: true }).fill(again);
    await page.getByRole('button', { name: w('kit-submit'), exact: true }).click();
  };
  await fill('trop court', 'trop court');
  await expect(page.getByText(w('fault-passphrase-too-short', { min: '12' }))).toBeVisible();
  await fill(words, `${words}s`);
  await expect(page.getByText(w('fault-passphrases-differ'))).toBeVisible();
  await accessible(page, 'a refused passphrase');
  expect(page.url()).not.toContain('agrafe');
  const [download] = await Promise.all([page.waitForEvent('download'), fill(words, words)]);
  expect(download.suggestedFilename()).toMatch(/^reprise-(trousse|kit)-erabliere-boreale-\d{4}-\d\d-\d\d\.txt$/);
  const kit = readFileSync(await download.path(), 'utf8');
  expect(kit).toContain('# Reprise recovery kit');
  expect(kit).not.toContain('agrafe');

  // The page, which has stayed, tells it by itself; so does the log.
  await expect(page.getByText(w('kit-never'))).toHaveCount(0);
  await ui.go('activity');
  await expect(page.getByRole('rowheader', { name: w('activity-save-kit') }).first()).toBeVisible();
  await expect(reminder).toHaveCount(0);
  await ui.open('/volumes');
  await expect(reminder).toHaveCount(0);
});
