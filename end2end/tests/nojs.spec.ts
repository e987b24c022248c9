// Without scripts: reading, signing in, the language, and plain forms.

import { people } from '../support/people.ts';
import { rawImage } from '../support/disks.ts';
import { expect, signIn, test } from '../support/test.ts';
import { Ui } from '../support/ui.ts';
import { words as texts } from '../support/words.ts';

test('one signs in, is told of a mistake, and comes to the page that was asked for', async ({ page, w }) => {
  const ui = new Ui(page, w);
  await page.goto('/snapshots');
  await ui.signIn(people.owner.email, 'not the password');
  await expect(page.getByRole('alert')).toHaveText(w('fault-wrong-credentials'));
  await ui.signIn(people.owner.email, people.owner.password);
  await ui.at('snapshots');
  await ui.signOut();
  await expect(page).toHaveURL(/\/sign-in/);
});

test('every page can be read, and the language is switched on the spot', async ({ page, w }) => {
  const ui = new Ui(page, w);
  await signIn(page);
  await page.goto('/volumes');
  await expect(ui.row('ROOT-465')).toContainText(w('volume-state', { state: 'ready' }));
  await ui.go('snapshots');
  await ui.go('activity');
  await ui.language('en');
  await expect(page).toHaveURL(/\/activity/);
  await new Ui(page, texts('en')).at('activity');
  await page.goto('/help/snapshot-or-recovery-point');
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(texts('en')('help-title'));
});

test('a volume is created; a name that is taken is said', async ({ page, w, unique }) => {
  const ui = new Ui(page, w);
  const name = unique('sans-script');
  await signIn(page);
  await page.goto('/volumes');
  for (const expected of ['started', 'taken']) {
    await page.getByRole('link', { name: w('act-create-volume'), exact: true }).click();
    const create = ui.dialog('act-create-volume');
    await create.field('field-name').fill(name);
    await create.submit.click();
    if (expected === 'started') {
      await expect(page.getByText(w('started', { kind: 'create-volume' }))).toBeVisible();
      await expect(create.root).toHaveCount(0);
    } else {
      await expect(page.getByText(w('fault-name-taken', { name }))).toBeVisible();
    }
  }
});

test('a refused form has again what was typed, and its address has not', async ({ page, visitor, w }) => {
  const ui = new Ui(page, w);
  await signIn(page);
  await page.goto('/volumes?page=1&dialog=create-volume');
  const create = ui.dialog('act-create-volume');
  const zone = create.field('field-zone');
  const last = (await zone.locator('option').last().getAttribute('value'))!;
  await create.field('field-name').fill('ROOT-465');
  await create.field('create-volume-size').fill('37');
  await zone.selectOption(last);
  await create.submit.click();
  await expect(page.getByText(w('fault-name-taken', { name: 'ROOT-465' }))).toBeVisible();
  await expect(create.field('field-name')).toHaveValue('ROOT-465');
  await expect(create.field('create-volume-size')).toHaveValue('37');
  await expect(zone).toHaveValue(last);
  const address = new URL(page.url());
  expect(address.searchParams.get('kept')).toMatch(/^[0-9a-f]{32}$/);
  expect([...address.searchParams.values()]).not.toContain('37');
  // It is nobody else's.
  const other = await visitor(people.stranger);
  await other.goto(address.pathname + address.search);
  await expect(other.getByLabel(w('create-volume-size'))).toHaveValue('10');
  await create.cancel.click();
  expect(new URL(page.url()).search).toBe('?page=1');
});

test('a theme is chosen', async ({ page, w }) => {
  const ui = new Ui(page, w);
  await signIn(page);
  await page.goto('/activity');
  await ui.theme('dark');
  await expect(page).toHaveURL(/\/activity$/);
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
  await ui.theme('system');
  await expect(page.locator('html')).not.toHaveAttribute('data-theme');
});

test('a snapshot is taken and becomes a volume', async ({ page, api, w, unique }) => {
  const ui = new Ui(page, w);
  const volume = await api.createVolume(unique('source'));
  const [copy, made] = [unique('copie'), unique('fait')];
  await signIn(page);
  await page.goto('/volumes');
  await ui.act(volume.name, 'act-take-snapshot');
  const take = ui.dialog('act-take-snapshot');
  await take.field('take-snapshot-name').fill(copy);
  await take.button('dialog-confirm').click();
  await expect(page.getByText(w('started', { kind: 'take-snapshot' }))).toBeVisible();
  await expect(async () => {
    await page.goto('/snapshots');
    await expect(ui.row(copy)).toContainText(w('snapshot-state', { state: 'saved' }), { timeout: 500 });
  }).toPass();
  await ui.act(copy, 'act-restore');
  const restore = ui.dialog('act-restore');
  await restore.field('field-name').fill(made);
  await restore.submit.click();
  await expect(page.getByText(w('started', { kind: 'restore-volume' }))).toBeVisible();
  await expect(async () => {
    await page.goto('/volumes');
    await expect(ui.row(made)).toContainText(w('volume-state', { state: 'ready' }), { timeout: 500 });
  }).toPass();
});

test('an image is imported by a plain form, and what is refused is said', async ({ page, w, unique }) => {
  const ui = new Ui(page, w);
  const name = unique('image');
  await signIn(page);
  await page.goto('/volumes?dialog=import-volume');
  const dialog = ui.dialog('act-import');
  await dialog.field('field-name').fill('ROOT-465');
  await dialog.field('import-file').setInputFiles(rawImage(name, 8));
  await dialog.submit.click();
  await expect(page.getByText(w('fault-name-taken', { name: 'ROOT-465' }))).toBeVisible();
  await dialog.field('field-name').fill(name);
  await dialog.field('import-file').setInputFiles(rawImage(name, 8));
  await dialog.submit.click();
  await expect(async () => {
    await page.goto('/volumes');
    await expect(ui.row(name)).toContainText(w('volume-state', { state: 'ready' }), { timeout: 500 });
  }).toPass();
});

test('the recovery kit is downloaded, and its reminder put off', async ({ page, w }) => {
  await signIn(page);
  await page.goto('/snapshots');
  const reminder = page.getByRole('region', { name: w('kit-title'), exact: true });
  await reminder.getByRole('button', { name: w('kit-reminder-later'), exact: true }).click();
  await expect(page).toHaveURL(/\/snapshots$/);
  await expect(reminder).toHaveCount(0);
  await page.goto('/kit');
  const fill = async (again: string) => {
    await page.getByLabel(w('kit-passphrase'), { exact: true }).fill('cheval agrafe pile');
    await page.getByLabel(w('kit-again'), { exact: true }).fill(again);
    await page.getByRole('button', { name: w('kit-submit'), exact: true }).click();
  };
  await fill('autre chose');
  await expect(page.getByText(w('fault-passphrases-differ'))).toBeVisible();
  const [download] = await Promise.all([page.waitForEvent('download'), fill('cheval agrafe pile')]);
  expect(download.suggestedFilename()).toMatch(/^reprise-trousse-/);
  await page.goto('/kit');
  await expect(page.getByText(w('kit-never'))).toHaveCount(0);
  await signIn(page);
  await page.goto('/snapshots');
  await expect(reminder).toHaveCount(0);
});
