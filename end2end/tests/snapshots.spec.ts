// The list of snapshots: deleting, failing and trying again, interrupting.

import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Api, until } from '../support/api.ts';
import { exportOf, fillWithNoise, rawImage } from '../support/disks.ts';
import { people } from '../support/people.ts';
import { Server } from '../support/server.ts';
import { accessible, expect, signIn, test } from '../support/test.ts';
import { Ui } from '../support/ui.ts';

test('a snapshot is deleted: the dialog says what that frees, and the others stay', async ({ page, api, w, unique }) => {
  const ui = new Ui(page, w);
  const name = unique('source');
  const volume = await api.createVolume(name, undefined, rawImage(name, 32));
  const [gone, kept] = [unique('de-trop'), unique('garde')];
  await api.takeSnapshot(volume, kept);
  await api.takeSnapshot(volume, gone);
  await signIn(page);
  await ui.open('/snapshots');
  await ui.act(gone, 'act-delete');
  const dialog = ui.dialog('delete-snapshot-title');
  await expect(dialog.root).toContainText(w('delete-snapshot-what', { name: gone }));
  await accessible(page, 'the dialog of a snapshot’s deletion');
  await dialog.button('delete-submit', { name: gone }).click();
  await expect(ui.row(gone)).toHaveCount(0);
  await expect(ui.row(kept)).toContainText(w('snapshot-state', { state: 'saved' }));
  // What is left is still whole: it becomes a volume.
  const other = (await api.zones())[1]!;
  const answer = await api.post('/api/snapshots/to-volume', { snapshot: (await api.snapshot(kept))!.id, zone: other.id, name: unique('relu') });
  expect(answer.ok()).toBe(true);
});

test('I-8 a snapshot is verified when asked, and says when that was', async ({ page, api, w, unique }) => {
  const ui = new Ui(page, w);
  const volume = await api.createVolume(unique('relue'), undefined, rawImage(unique('relue'), 32));
  const copy = unique('a-verifier');
  await api.takeSnapshot(volume, copy);
  await signIn(page);
  await ui.open('/snapshots');
  await expect(ui.row(copy)).toContainText(w('snapshot-state', { state: 'saved' }));
  await ui.act(copy, 'act-verify');
  const dialog = ui.dialog('act-verify');
  await expect(dialog.root).toContainText(copy);
  await expect(dialog.root).toContainText(w('verify-schedule'));
  await accessible(page, 'the dialog of a verification');
  await dialog.button('verify-submit').click();
  await expect(ui.notice(w('started', { kind: 'verify-snapshot' }))).toBeVisible();
  await expect(ui.row(copy)).toContainText(w('snapshot-state', { state: 'verified' }));
  expect((await api.snapshot(copy))!.state).toBe('verified');
});

test('deleting the snapshots of a volume gives the object store its room back', async ({ server, api, unique }) => {
  const { execFileSync } = await import('node:child_process');
  const archive = join(server.data, 'archive');
  const bytes = () => Number(execFileSync('du', ['-sb', archive], { encoding: 'utf8' }).split('\t')[0]);
  const name = unique('place');
  const volume = await api.createVolume(name, undefined, rawImage(name, 64, 200));
  const before = bytes();
  const snapshot = await api.takeSnapshot(volume, unique('lourde'));
  expect(bytes()).toBeGreaterThan(before);
  expect((await api.post('/api/snapshots/delete', { snapshot: snapshot.id })).ok()).toBe(true);
  await until('the snapshot to go', async () => ((await api.snapshot(snapshot.name)) ? undefined : true));
  expect(bytes() - before).toBeLessThan(64 * 1024);
});

test('I-15 another organization’s snapshot is not found', async ({ server, api, unique }) => {
  const volume = await api.createVolume(unique('secret'));
  const snapshot = await api.takeSnapshot(volume, unique('secrete'));
  const stranger = await Api.as(server, people.stranger);
  const zone = (await stranger.zones())[0]!.id;
  expect((await stranger.get(`/api/snapshots/get?snapshot=${snapshot.id}`)).status()).toBe(404);
  expect((await stranger.post('/api/snapshots/delete', { snapshot: snapshot.id })).status()).toBe(404);
  expect((await stranger.post('/api/snapshots/to-volume', { snapshot: snapshot.id, zone, name: 'x' })).status()).toBe(404);
  expect((await stranger.snapshots()).map(({ id }) => id)).not.toContain(snapshot.id);
  await stranger.dispose();
});

test.describe('on a server of its own', () => {
  let own: Server;
  let ownApi: Api;
  test.beforeEach(async () => {
    own = await Server.start();
    ownApi = await Api.as(own);
  });
  test.afterEach(async ({ page }) => {
    // The page goes before its server: what it still asks for would be an error of the browser's.
    await page.goto('about:blank');
    await ownApi.dispose();
    await own.dispose();
  });

  test('an object store that cannot be written is said, and trying again works once it can', async ({ page, w, unique }) => {
    const ui = new Ui(page, w);
    const name = unique('a-sauver');
    const volume = await ownApi.createVolume(name, undefined, rawImage(name, 32));
    // A file stands where the folder was: nothing can be written there, not even by root.
    const archive = join(own.data, 'archive');
    renameSync(archive, `${archive}.away`);
    writeFileSync(archive, '');
    const copy = unique('malgre-tout');
    expect((await ownApi.post('/api/volumes/take-snapshot', { volume: volume.id, name: copy })).ok()).toBe(true);
    await signIn(page, people.owner, own);
    await ui.open(`${own.url}/snapshots`);
    await expect(ui.row(copy)).toContainText(w('fault-object-store-unavailable'));
    await accessible(page, 'a save that failed');

    rmSync(archive);
    renameSync(`${archive}.away`, archive);
    await ui.row(copy).getByRole('button', { name: w('job-retry-named', { name: copy }) }).click();
    await expect(ui.row(copy)).toContainText(w('snapshot-state', { state: 'saved' }));
  });

  test('I-16 a save survives a killed server', async ({ page, w, unique }) => {
    const ui = new Ui(page, w);
    const name = unique('grand');
    const volume = await ownApi.createVolume(name, undefined, rawImage(name, 256, 2000));
    const survives = unique('survit');
    expect((await ownApi.post('/api/volumes/take-snapshot', { volume: volume.id, name: survives })).ok()).toBe(true);
    await own.restart('SIGKILL');
    await signIn(page, people.owner, own);
    await ui.open(`${own.url}/snapshots`);
    await expect(ui.row(survives)).toContainText(w('snapshot-state', { state: 'saved' }));
  });

  test('a save is interrupted, and leaves the volume as it was', async ({ page, w, unique }) => {
    test.setTimeout(90_000);
    const ui = new Ui(page, w);
    const name = unique('bruit');
    const volume = await ownApi.createVolume(name);
    // Long enough to be interrupted: seconds on any machine.
    fillWithNoise(exportOf(own, volume.id), 1000);
    await signIn(page, people.owner, own);
    await ui.open(`${own.url}/snapshots`);
    const stopped = unique('arretee');
    expect((await ownApi.post('/api/volumes/take-snapshot', { volume: volume.id, name: stopped })).ok()).toBe(true);
    await ui.row(stopped).getByRole('button', { name: w('job-interrupt-named', { name: stopped }) }).click();
    await expect(ui.row(stopped)).toContainText(w('fault-interrupted'));
    await expect(ui.row(stopped)).toContainText(w('snapshot-state', { state: 'failed' }));
    await expect(ui.row(stopped).getByRole('button', { name: w('job-interrupt-named', { name: stopped }) })).toHaveCount(0);
    expect((await ownApi.volume(name))!.state).toBe('ready');
  });
});
