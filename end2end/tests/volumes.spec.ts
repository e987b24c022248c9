// The list of volumes: making, importing, deleting; and what is refused.

import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { convert, exportOf, hold, rawImage, sameContent, type Format } from '../support/disks.ts';
import { people } from '../support/people.ts';
import { Api, until } from '../support/api.ts';
import { accessible, expect, signIn, test } from '../support/test.ts';
import { escaped, Ui } from '../support/ui.ts';

test.beforeEach(async ({ page }) => { await signIn(page); });

test('a volume is created empty, and a name serves once', async ({ page, w, unique, expected }) => {
  const ui = new Ui(page, w);
  const name = unique('vide');
  await ui.open('/volumes');
  await accessible(page, 'the list of volumes');
  await page.getByRole('link', { name: w('act-create-volume'), exact: true }).click();
  const create = ui.dialog('act-create-volume');
  await expect(create.root).toBeVisible();
  await accessible(page, 'the dialog of a new volume');
  await create.field('field-name').fill(`  ${name} `);
  await create.field('create-volume-size').fill('3');
  await create.submit.click();
  await expect(ui.row(name)).toContainText(w('volume-state', { state: 'ready' }));
  await expect(ui.row(name)).toContainText(w('size-gib', { text: 3 }));

  expected.answer(409, /^\/api\/volumes\/create/);
  expected.answer(422, /^\/api\/volumes\/create/);
  await page.getByRole('link', { name: w('act-create-volume'), exact: true }).click();
  for (const [typed, fault] of [
    [name, w('fault-name-taken', { name })],
    ['   ', w('fault-name-empty')],
    ['é'.repeat(101), w('fault-name-too-long', { max: 100 })],
    ['a\u202eb', w('fault-name-unreadable')],
  ] as const) {
    // What the browser itself would hold back is sent all the same: the server is asked.
    await create.root.locator('form').evaluateAll((forms) => forms.forEach((form) => form.setAttribute('novalidate', '')));
    await create.field('field-name').evaluate((field) => field.removeAttribute('maxlength'));
    await create.field('field-name').fill(typed);
    await create.submit.click();
    await expect(create.root.getByText(fault, { exact: true })).toBeVisible();
    await expect(create.field('field-name')).toHaveAccessibleDescription(new RegExp(escaped(fault)));
  }
  await accessible(page, 'a refused dialog');
  await create.cancel.click();
  await expect(create.root).toBeHidden();
});

for (const format of ['raw', 'qcow2', 'vmdk'] as Format[]) {
  test(`an image is imported: ${format}`, async ({ page, server, api, w, unique }) => {
    const ui = new Ui(page, w);
    const name = unique(`image-${format}`);
    const raw = rawImage(name, 96);
    await ui.open('/volumes');
    await page.getByRole('link', { name: w('act-import'), exact: true }).click();
    const dialog = ui.dialog('act-import');
    await expect(dialog.root).toBeVisible();
    if (format === 'raw') await accessible(page, 'the dialog of an import');
    await dialog.field('field-name').fill(name);
    await dialog.field('import-file').setInputFiles(convert(raw, format));
    await dialog.submit.click();
    await expect(dialog.root).toBeHidden();
    await expect(ui.row(name)).toContainText(w('volume-state', { state: 'ready' }));
    const volume = (await api.volume(name))!;
    expect(sameContent(raw, exportOf(server, volume.id))).toBe(true);
    // The comparison would notice.
    expect(sameContent(rawImage(`not-${name}`, 96), exportOf(server, volume.id))).toBe(false);
  });
}

test('what is not a disk image is refused, and leaves no volume', async ({ page, api, w, unique, expected }) => {
  expected.answer(422, /^\/upload\/volume$/);
  const ui = new Ui(page, w);
  const name = unique('pas-une-image');
  const file = rawImage(name, 1).replace(/\.raw$/, '.qcow2');
  writeFileSync(file, Buffer.concat([Buffer.from('QFI\xfb', 'latin1'), Buffer.alloc(4096, 0x41)]));
  await ui.open('/volumes?dialog=import-volume');
  const dialog = ui.dialog('act-import');
  await dialog.field('field-name').fill(name);
  await dialog.field('import-file').setInputFiles(file);
  await dialog.submit.click();
  // Told at once, or by the task that was to convert it.
  await expect(page.getByText(w('fault-not-a-disk-image')).first()).toBeVisible();
  const row = await api.volume(name);
  expect(row === undefined || row.state === 'failed').toBe(true);
});

test('an image of a disk larger than any volume is refused', async ({ page, api, w, unique, expected }) => {
  expected.answer(413, /^\/upload\/volume$/);
  const ui = new Ui(page, w);
  const name = unique('immense');
  const file = rawImage(name, 1).replace(/\.raw$/, '.qcow2');
  execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', file, '9T']);
  await ui.open('/volumes?dialog=import-volume');
  const dialog = ui.dialog('act-import');
  await dialog.field('field-name').fill(name);
  await dialog.field('import-file').setInputFiles(file);
  await dialog.submit.click();
  await expect(dialog.root.getByText(new RegExp(w('fault-image-too-large', { needed: '9.+', free: '.+' })))).toBeVisible();
  expect(await api.volume(name)).toBeUndefined();
});

test('an upload without content, or cut off, is refused and leaves no volume', async ({ api, unique }) => {
  const [zone] = await api.zones();
  const fields = { name: unique('vide'), zone: zone!.id, kind: 'data' };
  expect((await (await api.upload(fields, 'empty.raw', Buffer.alloc(0))).json()).code).toBe('upload-missing');

  const begun = unique('coupee');
  const body = `--b\r\nContent-Disposition: form-data; name="name"\r\n\r\n${begun}\r\n--b\r\nContent-Disposition: form-data; name="zone"\r\n\r\n${zone!.id}\r\n` +
    `--b\r\nContent-Disposition: form-data; name="kind"\r\n\r\ndata\r\n--b\r\nContent-Disposition: form-data; name="file"; filename="a.raw"\r\nContent-Type: application/octet-stream\r\n\r\n${'x'.repeat(70_000)}`;
  const cut = await api.raw('/upload/volume', 'multipart/form-data; boundary=b', body);
  expect((await cut.json()).code).toBe('upload-cut-off');
  expect(await api.volume(begun)).toBeUndefined();
});

test('a volume is deleted, and the dialog says what that frees and what it keeps', async ({ page, api, w, unique }) => {
  const ui = new Ui(page, w);
  const name = unique('a-supprimer');
  const [zone] = await api.zones();
  const volume = await api.createVolume(name, zone!.id, rawImage(name, 32));
  await api.takeSnapshot(volume, unique('garde'));
  await ui.open('/volumes');
  await ui.act(name, 'act-delete');
  const dialog = ui.dialog('delete-volume-title');
  await expect(dialog.root).toBeVisible();
  await expect(dialog.root).toContainText(w('delete-volume-what', { name }));
  await expect(dialog.root).toContainText(w('delete-volume-keeps', { count: 1, 'count-text': 1 }));
  await accessible(page, 'the dialog of a deletion');
  await dialog.cancel.click();
  await expect(ui.row(name)).toBeVisible();

  await ui.act(name, 'act-delete');
  await dialog.confirmDeletion(name);
  await expect(ui.row(name)).toHaveCount(0);
  await until('the volume to be gone', async () => ((await api.volume(name)) ? undefined : true));
});

test('what is in use is not deleted', async ({ server, api, unique }) => {
  const name = unique('occupe');
  const volume = await api.createVolume(name, undefined, rawImage(name, 32));
  await hold(exportOf(server, volume.id), async () => {
    const answer = await api.post('/api/volumes/delete', { volume: volume.id });
    if (answer.ok()) {
      // Taken on as a task, which finds the volume open and must not take it away.
      await until('the deletion to be refused', async () => {
        const row = await api.volume(name);
        return row && (row.job?.state === 'waiting' || row.job?.state === 'failed' || row.state === 'ready') ? true : undefined;
      });
    } else {
      expect((await answer.json()).code).toBe('in-use');
    }
  });
});

test('I-15 an Observer sees no acts, and a forged request of theirs is refused', async ({ visitor, server, api, w, unique }) => {
  const name = unique('vu');
  const volume = await api.createVolume(name);
  const page = await visitor(people.viewer);
  const ui = new Ui(page, w);
  await ui.open('/volumes');
  await expect(ui.row(name)).toBeVisible();
  await expect(page.getByText(w('role-viewer-note'))).toBeVisible();
  await expect(page.getByRole('button', { name: w('act-menu-named', { name }), exact: true })).toHaveCount(0);
  await expect(page.getByRole('link', { name: w('act-create-volume'), exact: true })).toHaveCount(0);
  await accessible(page, 'the list of volumes, as an Observer');

  const viewer = await Api.as(server, people.viewer);
  for (const [path, form] of [
    ['/api/volumes/delete', { volume: volume.id }],
    ['/api/volumes/take-snapshot', { volume: volume.id, name: 'x' }],
    ['/api/volumes/create', { name: unique('x'), zone: (await api.zones())[0]!.id, size_gib: '1' }],
  ] as const) {
    const answer = await viewer.post(path, form);
    expect(answer.status(), path).toBe(403);
    expect((await answer.json()).code).toBe('not-allowed');
  }
  const upload = await viewer.upload({ name: unique('x'), zone: (await api.zones())[0]!.id, kind: 'data' }, 'a.raw', Buffer.alloc(4096));
  expect(upload.status()).toBe(403);
  await viewer.dispose();
  expect((await api.volume(name))!.state).toBe('ready');
});

test('I-15 another organization’s volume is not found, by page and by request', async ({ visitor, server, api, w, unique, expected }) => {
  const volume = await api.createVolume(unique('secret'));
  expected.answer(404, /^\/(api\/|volumes)/);
  const page = await visitor(people.stranger);
  const ui = new Ui(page, w);
  await ui.open(`/volumes?dialog=delete-volume&volume=${volume.id}`);
  await expect(page.getByText(w('fault-not-found', { what: 'volume' })).first()).toBeVisible();
  await expect(page.getByText(volume.name)).toHaveCount(0);
  const stranger = await Api.as(server, people.stranger);
  for (const [path, form] of [
    ['/api/volumes/delete', { volume: volume.id }],
    ['/api/volumes/take-snapshot', { volume: volume.id, name: 'x' }],
  ] as const) {
    expect((await stranger.post(path, form)).status(), path).toBe(404);
  }
  expect((await stranger.volumes()).map(({ id }) => id)).not.toContain(volume.id);
  await stranger.dispose();
});

test('I-15 a request from another site, or from nobody, changes nothing', async ({ server, api, unique }) => {
  const volume = await api.createVolume(unique('a-nous'));
  const foreign: Record<string, string>[] = [
    { Origin: 'https://evil.example' },
    { Origin: server.url, 'Sec-Fetch-Site': 'cross-site' },
    { Origin: 'null' },
  ];
  for (const headers of foreign) {
    const answer = await api.post('/api/volumes/delete', { volume: volume.id }, headers);
    expect(answer.status(), JSON.stringify(headers)).toBe(403);
  }
  const nobody = await Api.as(server, null);
  expect((await nobody.post('/api/volumes/delete', { volume: volume.id })).status()).toBe(401);
  expect((await nobody.get('/api/volumes/list?page=1')).status()).toBe(401);
  expect((await nobody.get('/live')).status()).toBe(401);
  await nobody.dispose();
  expect((await api.volume(volume.name))!.state).toBe('ready');
});
