// The first page, one volume and one snapshot: what they say, and where they lead.

import { exportOf, fillWithNoise, rawImage } from '../support/disks.ts';
import { people } from '../support/people.ts';
import { accessible, expect, signIn, test } from '../support/test.ts';
import { Ui } from '../support/ui.ts';

test('a volume tells what is saved and what is not, and one acts from its page', async ({ page, server, api, w, unique, expected }) => {
  // A page asks again for what it shows when that is deleted.
  expected.answer(404, /^\/api\/snapshots\/details$/);
  const ui = new Ui(page, w);
  // A very long name, the end of it from right to left, and an emoji.
  const name = unique(`${'long-'.repeat(12)}قرص 🎻`);
  const volume = await api.createVolume(name, undefined, rawImage(unique('disque'), 96));
  const first = await api.takeSnapshot(volume, unique('premiere'));
  await signIn(page);

  await ui.open('/volumes');
  await ui.row(name).getByRole('link', { name, exact: true }).click();
  const heading = page.getByRole('heading', { level: 1, name, exact: true });
  await expect(heading).toBeVisible();
  await expect(page).toHaveTitle(w('app-title', { page: name }));
  await expect(page.getByText(w('volume-made-image'), { exact: true })).toBeVisible();
  await expect(page.getByText(w('volume-detached'))).toBeVisible();
  await expect(page.getByRole('main')).toContainText(beginning(w('volume-unsaved-none', { date: '\u0000' })));
  await accessible(page, 'one volume');

  // What is written is told as soon as it is known; a second copy makes a growth.
  fillWithNoise(exportOf(server, volume.id), 64);
  await page.getByRole('button', { name: w('act-menu'), exact: true }).click();
  await page.locator('[popover]').getByRole('link', { name: w('act-take-snapshot'), exact: true }).click();
  const dialog = ui.dialog('act-take-snapshot');
  const second = unique('seconde');
  await dialog.field('take-snapshot-name').fill(second);
  await dialog.button('dialog-confirm').click();
  await expect(dialog.root).toBeHidden();
  await expect(heading).toBeVisible();
  await expect(ui.row(second)).toContainText(w('snapshot-state', { state: 'saved' }));
  const growth = page.getByRole('figure');
  await expect(growth.getByRole('img')).toHaveAttribute('aria-label', /64/);
  await growth.getByText(w('volume-growth-figures')).click();
  await expect(growth.getByRole('row')).toHaveCount(4);
  await accessible(page, 'a volume that grew');

  // One snapshot: what it holds and what it does not, what came of it.
  const zone = (await api.zones())[1]!;
  const made = unique('double');
  expect((await api.post('/api/snapshots/to-volume', { snapshot: first.id, zone: zone.id, name: made })).ok()).toBe(true);
  await ui.row(first.name).getByRole('link', { name: first.name, exact: true }).click();
  await expect(page.getByRole('heading', { level: 1, name: first.name, exact: true })).toBeVisible();
  for (const id of ['snapshot-lacks-memory', 'snapshot-lacks-disks', 'snapshot-lacks-writes', 'snapshot-consistency']) {
    await expect(page.getByRole('main')).toContainText(w(id));
  }
  await expect(page.getByRole('link', { name: made, exact: true }).first()).toBeVisible();
  await accessible(page, 'one snapshot');

  // Deleted from its own page: that says so, and leads to the list.
  await page.getByRole('button', { name: w('act-menu'), exact: true }).click();
  await page.locator('[popover]').getByRole('link', { name: w('act-delete'), exact: true }).click();
  await ui.dialog('delete-snapshot-title').button('delete-submit', { name: first.name }).click();
  await ui.at('snapshots');
  await expect(ui.row(first.name)).toHaveCount(0);
});

test('what is gone leads to its list', async ({ page, w, expected }) => {
  // Its page, too, asks again when something is told of volumes or snapshots: the sample data may just be saved.
  expected.answer(404, /^\/api\/(volumes\/get|snapshots\/details)$/);
  const ui = new Ui(page, w);
  await signIn(page);
  for (const [list, what] of [['volumes', 'volume'], ['snapshots', 'snapshot']] as const) {
    await ui.open(`/${list}/00000000-0000-7000-8000-000000000000`);
    await expect(page.getByRole('alert')).toContainText(w('fault-not-found', { what }));
    await page.getByRole('link', { name: w('gone-to-list', { list: w(`${list}-title`) }), exact: true }).click();
    await ui.at(list);
  }
});

test('the first page counts, asks for what is not saved, and is as helpful where there is nothing', async ({ page, api, visitor, w, unique }) => {
  const ui = new Ui(page, w);
  const name = unique('oublie');
  const volume = await api.createVolume(name, undefined, rawImage(unique('image'), 32));
  await signIn(page);
  await ui.open(`/volumes/${volume.id}`);
  await ui.go('home');
  const total = (await api.volumes()).length;
  await expect(page.getByRole('link', { name: new RegExp(`^${w('volumes-title')} ${total}$`) })).toBeVisible();
  await accessible(page, 'the first page');
  // It follows what happens, and whoever has got somewhere in it stays there.
  const all = (count: number) => page.getByRole('link', { name: new RegExp(`^${w('volumes-title')} ${count}$`) });
  await all(total).focus();
  await api.createVolume(unique('de-plus'));
  await expect(all(total + 1)).toBeFocused();
  // The oldest come first, and only three of them: what the sample data has is there before this one.
  const act = page.getByRole('link', { name: new RegExp(`^${w('act-take-snapshot')}`) }).first();
  await act.click();
  await expect(ui.dialog('act-take-snapshot').root).toBeVisible();
  await ui.dialog('act-take-snapshot').cancel.click();
  await ui.at('home');

  const theirs = await visitor(people.viewer);
  const them = new Ui(theirs, w);
  await them.open('/');
  await expect(theirs.getByText(w('role-viewer-note'))).toBeVisible();
  await expect(theirs.getByRole('link', { name: new RegExp(`^${w('act-take-snapshot')}`) })).toHaveCount(0);

  const strangers = await visitor(people.stranger);
  const nothing = new Ui(strangers, w);
  await nothing.open('/');
  await expect(strangers.getByRole('heading', { name: w('home-first-title') })).toBeVisible();
  await accessible(strangers, 'the first page of a new organization');
});

/** What stands before the first argument. */
const beginning = (text: string) => text.split('\u0000')[0]!.trim();
