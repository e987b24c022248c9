// The snapshot half of the article, as its reader would go through it.

import { people } from '../support/people.ts';
import { dataBytes, exportOf, sameContent, write } from '../support/disks.ts';
import { accessible, expect, test } from '../support/test.ts';
import { Ui } from '../support/ui.ts';

// The words that the product is known by. The other tests read them from the locales.
const contract = {
  'nav-volumes': { fr: 'Volumes', en: 'Volumes' },
  'act-menu': { fr: 'Action', en: 'Action' },
  'act-take-snapshot': { fr: 'Prendre une copie instantanée', en: 'Take a snapshot' },
  'dialog-confirm': { fr: 'Confirmer', en: 'Confirm' },
  'nav-snapshots': { fr: 'Copies instantanées', en: 'Snapshots' },
  'act-restore': { fr: 'Créer un volume de données', en: 'Create a data volume' },
} as const;

test('I-8 a snapshot is taken, saved, and becomes the same bytes in the other zone', async ({ page, server, api, w, words, unique }) => {
  for (const [id, texts] of Object.entries(contract)) expect(w(id)).toBe(texts[words]);
  const ui = new Ui(page, w);
  const copy = unique('avant-inventaire');
  const volume = unique('DATA-copie');

  await ui.open('/');
  await ui.signIn(people.owner.email, people.owner.password);
  await ui.at('home');
  await ui.go('volumes');

  await ui.selectAndAct('ROOT-465', 'act-take-snapshot');
  const take = ui.dialog('act-take-snapshot');
  await expect(take.root).toBeVisible();
  await accessible(page, 'the snapshot dialog');
  await take.field('take-snapshot-name').fill(copy);
  await take.button('dialog-confirm').click();
  await expect(ui.notice(w('started', { kind: 'take-snapshot' }))).toBeVisible();
  await expect(take.root).toBeHidden();

  await ui.go('snapshots');
  await expect(ui.row(copy)).toContainText(w('snapshot-state', { state: 'saved' }));
  await accessible(page, 'the list of snapshots');

  const [source] = (await api.volumes()).filter(({ name }) => name === 'ROOT-465');
  const other = (await api.zones()).find(({ name }) => name !== source!.zone)!;
  await ui.act(copy, 'act-restore');
  const restore = ui.dialog('act-restore');
  await restore.field('field-name').fill(volume);
  const option = restore.field('field-zone').getByRole('option').filter({ hasText: other.name });
  await restore.field('field-zone').selectOption((await option.getAttribute('value'))!);
  await restore.submit.click();
  await expect(ui.notice(w('started', { kind: 'restore-volume' }))).toBeVisible();

  await ui.go('volumes');
  await expect(ui.row(volume)).toContainText(w('volume-state', { state: 'ready' }));
  await expect(ui.row(volume)).toContainText(other.name);

  // The same bytes, as others' tools read them.
  const [a, b] = [exportOf(server, source!.id), exportOf(server, (await api.volume(volume))!.id)];
  expect(dataBytes(a), 'the sample volume holds data').toBeGreaterThan(1024 * 1024);
  expect(sameContent(a, b)).toBe(true);
  // And a copy of its own: what is written to it is seen, and does not reach the volume it came from.
  write(b, 4096, 512, 0xa5);
  expect(sameContent(a, b)).toBe(false);
});
