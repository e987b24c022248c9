// Every dialog: whoever may not is told why and has no form; signed out meanwhile; refused by the server, which says why,
// keeps what was typed and lets one try again; slow; done. Each is refused as it would be in life: the object is gone, its
// name is taken, it is in another state. (What the acts do is seen in the other files.)

import { readFileSync } from 'node:fs';
import type { Page } from '@playwright/test';
import { until, type Api, type Instance, type Point, type Snapshot, type Template, type Volume } from '../support/api.ts';
import { rawImage } from '../support/disks.ts';
import { people } from '../support/people.ts';
import { accessible, expect, signIn, test } from '../support/test.ts';
import { Ui, type Dialog } from '../support/ui.ts';
import type { Words } from '../support/words.ts';

/** What a dialog is about. */
interface Subject {
  /** What follows `dialog=` in its address. */
  about: string;
  /** What it is called in its address. */
  key?: string;
  /** Somebody else does something meanwhile, and the server refuses: its sentence. Or the name that is taken. */
  spoil?: () => Promise<string>;
  taken?: string;
}

interface Case {
  /** The dialog's key, as src/web/links/dialog.rs has it. */
  key: string;
  title: string;
  /** Where it sends what. */
  endpoint: string;
  make: (api: Api, w: Words, unique: (name: string) => string) => Promise<Subject>;
  /** Whether the state that it needs cannot be had here: only its refusal is seen. */
  refusedOnly?: boolean;
}

const gone = (w: Words, what: string) => w('fault-not-found', { what });

/** Deletes it as its dialog would, and waits until it is gone. */
async function remove(api: Api, path: string, form: Record<string, string>, left: () => Promise<unknown>): Promise<void> {
  const answer = await api.post(path, form);
  expect(answer.ok(), `${path}: ${answer.status()}`).toBe(true);
  await until(`${path} is done`, async () => ((await left()) ? undefined : true));
}

const removeVolume = (api: Api, { id, name }: Volume) => remove(api, '/api/volumes/delete', { volume: id }, () => api.volume(name));
const removeSnapshot = (api: Api, { id, name }: Snapshot) => remove(api, '/api/snapshots/delete', { snapshot: id }, () => api.snapshot(name));
const removeTemplate = (api: Api, { id, name }: Template) => remove(api, '/api/templates/delete', { template: id }, () => api.template(name));
const removeInstance = (api: Api, { id, name }: Instance) => remove(api, '/api/instances/delete', { instance: id }, () => api.instance(name));
const removePoint = (api: Api, instance: Instance, { id }: { id: string }) =>
  remove(api, '/api/points/delete', { point: id }, async () => (await api.points(instance)).points.some((row) => row.id === id));

const ofVolume = (make: (volume: Volume) => string = ({ id }) => `volume=${id}`) => async (api: Api, w: Words, unique: (name: string) => string): Promise<Subject> => {
  const volume = await api.createVolume(unique('v'));
  return { about: make(volume), spoil: async () => { await removeVolume(api, volume); return gone(w, 'volume'); } };
};

const ofSnapshot = (root = false) => async (api: Api, w: Words, unique: (name: string) => string): Promise<Subject> => {
  const volume = root ? (await api.volumesOf(await api.createInstance(unique('n'))))[0]! : await api.createVolume(unique('v'));
  const snapshot = await api.takeSnapshot(volume, unique('s'));
  return { about: `snapshot=${snapshot.id}`, spoil: async () => { await removeSnapshot(api, snapshot); return gone(w, 'snapshot'); } };
};

const ofTemplate = async (api: Api, w: Words, unique: (name: string) => string): Promise<Subject> => {
  const name = unique('t');
  await api.createInstance(name);
  const template = (await api.template(name))!;
  return { about: `template=${template.id}`, spoil: async () => { await removeTemplate(api, template); return gone(w, 'template'); } };
};

const ofInstance = async (api: Api, w: Words, unique: (name: string) => string): Promise<Subject> => {
  const instance = await api.createInstance(unique('n'));
  return { about: `instance=${instance.id}`, spoil: async () => { await removeInstance(api, instance); return gone(w, 'instance'); } };
};

/** An instance that stands, for acts on one that runs. */
const standing = async (api: Api, w: Words, unique: (name: string) => string): Promise<Subject> => {
  const instance = await api.createInstance(unique('n'));
  return { about: `instance=${instance.id}`, spoil: async () => w('fault-must-be-running', { name: instance.name }) };
};

const withData = (attached: boolean) => async (api: Api, w: Words, unique: (name: string) => string): Promise<Subject> => {
  const instance = await api.createInstance(unique('n'));
  const volume = await api.createVolume(unique('v'));
  const attach = { instance: instance.id, volume: volume.id };
  if (!attached) {
    return { about: `instance=${instance.id}`, spoil: async () => { await removeInstance(api, instance); return gone(w, 'instance'); } };
  }
  expect((await api.post('/api/instances/attach', attach)).ok()).toBe(true);
  return {
    about: `instance=${instance.id}&volume=${volume.id}`,
    spoil: async () => {
      expect((await api.post('/api/instances/detach', { volume: volume.id })).ok()).toBe(true);
      await removeVolume(api, volume);
      return gone(w, 'volume');
    },
  };
};

const ofPoint = async (api: Api, w: Words, unique: (name: string) => string): Promise<Subject> => {
  const instance = await api.createInstance(unique('n'));
  const point = await api.createPoint(instance, unique('p'));
  return { about: `instance=${instance.id}&point=${point.id}`, spoil: async () => { await removePoint(api, instance, point); return gone(w, 'point'); } };
};

/** What a rollback can be undone with. */
const ofSafetyPoint = async (api: Api, w: Words, unique: (name: string) => string): Promise<Subject> => {
  const instance = await api.createInstance(unique('n'));
  const point: Point = await api.createPoint(instance, unique('p'));
  await api.rollBack(point);
  const safety = await until('the safety point is there', async () => {
    const found = (await api.points(instance)).points.find((row) => row.kind === 'safety' && row.state === 'ready');
    return found && (await api.instance(instance.name))?.job === null ? found : undefined;
  });
  return { about: `instance=${instance.id}&point=${safety.id}`, spoil: async () => { await removePoint(api, instance, safety); return gone(w, 'point'); } };
};

const named = (about: string, taken: (api: Api, unique: (name: string) => string) => Promise<{ name: string }>) =>
  async (api: Api, _: Words, unique: (name: string) => string): Promise<Subject> => ({ about, taken: (await taken(api, unique)).name });

const several = async (api: Api, w: Words, unique: (name: string) => string): Promise<Subject> => {
  const [one, other] = [await api.createVolume(unique('v')), await api.createVolume(unique('v'))];
  return {
    key: 'delete-volume',
    about: `volume=${one.id}&volume=${other.id}`,
    spoil: async () => {
      await removeVolume(api, one);
      await removeVolume(api, other);
      return gone(w, 'volume');
    },
  };
};

const cases: Case[] = [
  { key: 'take-snapshot', title: 'act-take-snapshot', endpoint: '/api/volumes/take-snapshot', make: ofVolume() },
  { key: 'create-volume', title: 'act-create-volume', endpoint: '/api/volumes/create', make: named('', (api, unique) => api.createVolume(unique('v'))) },
  { key: 'import-volume', title: 'act-import', endpoint: '/upload/volume', make: named('', (api, unique) => api.createVolume(unique('v'))) },
  { key: 'delete-volume', title: 'delete-volume-title', endpoint: '/api/volumes/delete', make: ofVolume() },
  { key: 'restore', title: 'act-restore', endpoint: '/api/snapshots/to-volume', make: ofSnapshot() },
  { key: 'delete-snapshot', title: 'delete-snapshot-title', endpoint: '/api/snapshots/delete', make: ofSnapshot() },
  { key: 'create-template', title: 'act-create-template', endpoint: '/api/templates/create', make: ofSnapshot(true) },
  { key: 'verify', title: 'act-verify', endpoint: '/api/snapshots/verify', make: ofSnapshot() },
  { key: 'import-template', title: 'act-import-template', endpoint: '/upload/template', make: named('', (api, unique) => api.createInstance(unique('t'))) },
  { key: 'delete-template', title: 'delete-template-title', endpoint: '/api/templates/delete', make: ofTemplate },
  { key: 'create-instance', title: 'act-create-instance', endpoint: '/api/instances/create', make: named('', (api, unique) => api.createInstance(unique('n'))) },
  { key: 'start', title: 'start-title', endpoint: '/api/instances/start', make: ofInstance, refusedOnly: true },
  { key: 'stop', title: 'stop-title', endpoint: '/api/instances/stop', make: standing, refusedOnly: true },
  { key: 'force-stop', title: 'force-title', endpoint: '/api/instances/stop', make: standing, refusedOnly: true },
  { key: 'reboot', title: 'reboot-title', endpoint: '/api/instances/reboot', make: standing, refusedOnly: true },
  { key: 'delete-instance', title: 'delete-instance-title', endpoint: '/api/instances/delete', make: ofInstance },
  { key: 'attach', title: 'act-attach', endpoint: '/api/instances/attach', make: withData(false) },
  { key: 'detach', title: 'detach-title', endpoint: '/api/instances/detach', make: withData(true) },
  { key: 'create-point', title: 'point-create', endpoint: '/api/points/create', make: ofInstance },
  { key: 'rename-point', title: 'rename-point-title', endpoint: '/api/points/rename', make: ofPoint },
  { key: 'delete-point', title: 'delete-point-title', endpoint: '/api/points/delete', make: ofPoint },
  { key: 'delete-branch', title: 'delete-branch-title', endpoint: '/api/points/delete-branch', make: ofPoint },
  { key: 'volume-from-point', title: 'act-restore', endpoint: '/api/points/create-volume', make: ofPoint },
  { key: 'template-from-point', title: 'act-create-template', endpoint: '/api/points/create-template', make: ofPoint },
  { key: 'rollback', title: 'point-restore', endpoint: '/api/points/rollback', make: ofPoint },
  { key: 'undo', title: 'point-undo', endpoint: '/api/points/rollback', make: ofSafetyPoint },
  { key: 'several', title: 'several-delete-volumes', endpoint: '/api/several/do', make: several },
];

/** Any dialog stands above any page; this one asks for little. */
const address = (key: string, { about, key: other }: Subject) => `/help/snapshot-or-recovery-point?dialog=${other ?? key}${about && '&'}${about}`;

/** Fills in what it asks for. */
async function fill(dialog: Dialog, name: string): Promise<void> {
  await expect(dialog.submit).toBeVisible();
  const field = dialog.root.locator('input[name=name]');
  if (await field.count()) await field.fill(name);
  const file = dialog.root.locator('input[type=file]');
  if (await file.count()) await file.setInputFiles(rawImage(name, 1));
  for (const tick of await dialog.root.locator('input[type=checkbox][required]').all()) await tick.check();
  for (const choice of await dialog.root.locator('select[required]').all()) {
    if ((await choice.inputValue()) === '') await choice.selectOption({ index: 1 });
  }
}

/** Holds what is sent to the endpoint until `meanwhile` has been done. */
async function slowly(page: Page, endpoint: string, meanwhile: () => Promise<void>): Promise<() => number> {
  let sent = 0;
  await page.route(`**${endpoint}`, async (route) => {
    sent += 1;
    await meanwhile();
    await route.continue();
  });
  return () => sent;
}

test('every dialog is here', () => {
  const links = readFileSync(new URL('../../src/web/links/dialog.rs', import.meta.url), 'utf8');
  const body = /const fn key\(self\)[^{]*\{([\s\S]*?)\n {4}\}/.exec(links)![1]!;
  const keys = [...body.matchAll(/=> "([a-z-]+)"/g)].map(([, key]) => key);
  expect(keys.length).toBeGreaterThan(20);
  expect(cases.map(({ key }) => key).filter((key) => key !== 'several').sort()).toEqual(keys.sort());
});

for (const [at, one] of cases.entries()) {
  test(`${one.key}: signed out, not allowed, refused, slow, done`, async ({ page, context, visitor, api, w, words, unique, expected }) => {
    // The words are the messages’ own: half of the dialogs speak French here, the others English.
    test.skip((at % 2 === 0) !== (words === 'fr'), 'the other language has it');
    for (const status of [401, 403, 404, 409, 422]) expected.answer(status, /^\/(api|upload|live)/);
    const ui = new Ui(page, w);
    const subject = await one.make(api, w, unique);
    const path = address(one.key, subject);
    const dialog = ui.dialog(one.title);

    // Whoever may not comes to its address: the reason, and nothing to send.
    const observer = await visitor(people.viewer);
    await observer.goto(path);
    await expect(observer.getByRole('dialog').getByText(w('fault-not-allowed'))).toBeVisible();
    await expect(observer.getByRole('dialog').locator('form')).toHaveCount(0);

    // Signed out meanwhile: said, or led to the door, and nothing happens.
    await signIn(page);
    await ui.open(path);
    await fill(dialog, unique('x'));
    const cookies = await context.cookies();
    await context.clearCookies();
    await dialog.submit.click();
    await expect(page.getByText(w('fault-sign-in-needed')).or(page.getByRole('button', { name: w('sign-in-submit'), exact: true })).first()).toBeVisible();
    await context.addCookies(cookies);

    // Refused: the reason stands in the dialog, with what was typed.
    await ui.open(path);
    const name = subject.taken ?? unique('x');
    await fill(dialog, name);
    const sentence = subject.taken ? w('fault-name-taken', { name }) : await subject.spoil!();
    await dialog.submit.click();
    await expect(dialog.root.getByText(sentence).first()).toBeVisible();
    const field = dialog.root.locator('input[name=name]');
    if (await field.count()) await expect(field).toHaveValue(name);
    if (subject.taken) await expect(field).toBeFocused();
    await accessible(page, `${one.key}, refused`);
    // Nothing is on its way: it can be left.
    await page.keyboard.press('Escape');
    await expect(dialog.root).toBeHidden();
    if (one.refusedOnly) return;

    // Slow: it says so, cannot be sent twice, and whoever wants to leave hears first what became of it. Then it is done.
    const again = subject.taken ? subject : await one.make(api, w, unique);
    await ui.open(address(one.key, again));
    await fill(dialog, unique('y'));
    const file = one.endpoint.startsWith('/upload');
    const sent = await slowly(page, one.endpoint, async () => {
      await expect(dialog.submit).toBeDisabled();
      if (file) return;
      await expect(dialog.root.getByText(w('dialog-pending'))).toBeAttached();
      await page.keyboard.press('Escape');
      await dialog.cancel.click();
      await expect(dialog.root).toBeVisible();
    });
    await dialog.submit.click();
    await expect(dialog.root).toBeHidden();
    expect(sent()).toBe(1);
  });
}

test('focus goes back to where a dialog was opened, however it is left', async ({ page, api, w, unique }) => {
  const volume = await api.createVolume(unique('v'));
  await signIn(page);
  const ui = new Ui(page, w);
  await ui.open('/volumes');
  const dialog = ui.dialog('act-take-snapshot');
  const menu = ui.row(volume.name).getByRole('button', { name: w('act-menu-named', { name: volume.name }), exact: true });
  const ways = [() => page.keyboard.press('Escape'), () => dialog.cancel.click(), () => dialog.submit.click()];
  for (const leave of ways) {
    await ui.act(volume.name, 'act-take-snapshot');
    await expect(dialog.submit).toBeEnabled();
    await leave();
    await expect(dialog.root).toBeHidden();
    await expect(menu).toBeFocused();
  }
  const create = page.getByRole('link', { name: w('act-create-volume'), exact: true });
  await create.click();
  await expect(ui.dialog('act-create-volume').submit).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(create).toBeFocused();
});

test('what would be refused is not offered, wherever its address came from', async ({ page, api, w, unique, expected }) => {
  for (const status of [404, 409]) expected.answer(status, /^\/api/);
  const instance = await api.createInstance(unique('n'));
  const root = (await api.volumesOf(instance))[0]!;
  const point = await api.createPoint(instance, unique('p'));
  await signIn(page);
  const ui = new Ui(page, w);
  await ui.open(`/volumes?dialog=delete-volume&volume=${root.id}`);
  const dialog = ui.dialog('delete-volume-title');
  await expect(dialog.root.getByText(w('fault-attached', { name: root.name, instance: instance.name }))).toBeVisible();
  await expect(dialog.root.locator('form')).toHaveCount(0);
  // The same of what is being deleted.
  await api.post('/api/points/delete', { point: point.id });
  await ui.open(`/instances/${instance.id}/points?dialog=delete-point&point=${point.id}`);
  await expect(ui.dialog('delete-point-title').root.locator('form')).toHaveCount(0);
});
