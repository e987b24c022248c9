// Two people look at the same lists.

import { people } from '../support/people.ts';
import { expect, hydrated, test } from '../support/test.ts';
import { Ui } from '../support/ui.ts';

test('what one does, the other sees, without reloading', async ({ visitor, w, unique }) => {
  const [mine, theirs] = [await visitor(people.owner), await visitor(people.viewer)];
  const [me, them] = [new Ui(mine, w), new Ui(theirs, w)];
  const name = unique('partage');
  await them.open('/volumes');
  await me.open('/volumes?dialog=create-volume');
  const create = me.dialog('act-create-volume');
  await create.field('field-name').fill(name);
  await create.submit.click();
  await expect(them.row(name)).toContainText(w('volume-state', { state: 'ready' }));

  await them.go('activity');
  await expect(theirs.getByRole('row').filter({ hasText: name }).first()).toBeVisible();
  await them.go('volumes');
  await me.act(name, 'act-delete');
  await me.dialog('delete-volume-title').confirmDeletion(name);
  await expect(them.row(name)).toHaveCount(0);
});

test('a connection that is lost is told, and what was missed appears when it is back', async ({ visitor, api, w, unique, expected }) => {
  expected.console(/net::ERR_INTERNET_DISCONNECTED|net::ERR_FAILED|net::ERR_NETWORK_CHANGED/);
  const page = await visitor(people.owner);
  const ui = new Ui(page, w);
  await ui.open('/volumes');
  await hydrated(page);
  const name = unique('manque');
  await page.context().setOffline(true);
  await api.createVolume(name);
  await expect(ui.row(name)).toHaveCount(0);
  await page.context().setOffline(false);
  await expect(ui.row(name)).toBeVisible();
});

test('I-15 a stranger’s stream says nothing of ours', async ({ visitor, api, unique }) => {
  const page = await visitor(people.stranger);
  await page.goto('/volumes');
  await hydrated(page);
  await page.evaluate(() => {
    const heard: string[] = [];
    (window as unknown as { heard: string[] }).heard = heard;
    new EventSource('/live').addEventListener('change', (event) => heard.push(String((event as MessageEvent).data)));
  });
  const heard = () => page.evaluate(() => (window as unknown as { heard: string[] }).heard);
  // Every stream begins by saying once that anything may have changed; after that it says what did.
  await expect.poll(heard).toHaveLength(7);
  await api.createVolume(unique('a-nous'));
  // Longer than what one’s own changes take to come.
  await expect.poll(async () => (await api.volumes()).length).toBeGreaterThan(3);
  expect(await heard()).toHaveLength(7);
});
