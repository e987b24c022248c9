// ./dev screenshots: pictures of every screen, dialog and state, as the sample data fills them, with a running instance
// where there is QEMU. They are for looking at: nothing is compared, but an error of the page or of the server fails.

import type { Page } from '@playwright/test';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Api, until } from '../support/api.ts';
import { rawImage } from '../support/disks.ts';
import { people } from '../support/people.ts';
import { prepare, screens, strange } from '../support/screens.ts';
import { guestImage, Server } from '../support/server.ts';
import { expect, hydrated, signIn, test as base } from '../support/test.ts';
import type { Language } from '../support/words.ts';

const looks = (['light', 'dark'] as const).flatMap((colorScheme) => [
  { colorScheme, kind: 'wide', viewport: { width: 1280, height: 800 } },
  { colorScheme, kind: 'phone', viewport: { width: 390, height: 844 } },
]);
const [wide, phone] = looks;

/** Takes a picture in every look, or in those of one width: as much as a screen shows, and of a long page all of it. */
type Keep = (page: Page, name: string, kind?: 'wide' | 'phone') => Promise<void>;

const folder = (words: Language, colorScheme: string, kind: string) => join('..', 'screenshots', `${words}-${colorScheme}-${kind}`);

// One server for all pictures.
const test = base.extend<{ keep: Keep }, { server: Server }>({
  server: [async ({}, use) => {
    const server = await Server.start({ guests: guestImage !== undefined });
    const api = await Api.as(server);
    await prepare(api);
    if (guestImage) await until('an instance runs', async () => (await api.instances()).find(({ state }) => state === 'running'), 180);
    await api.dispose();
    await use(server);
    await server.dispose();
  }, { scope: 'worker', timeout: 300_000 }],

  keep: async ({ words }, use) => {
    await use(async (page, name, only) => {
      await page.evaluate(() => document.fonts.ready);
      for (const { colorScheme, kind, viewport } of looks.filter(({ kind }) => !only || kind === only)) {
        await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
        await page.setViewportSize(viewport);
        const above = await page.locator('dialog[open], :popover-open').count();
        const long = await page.evaluate(() => document.documentElement.scrollHeight);
        if (!above && long > viewport.height) await page.setViewportSize({ ...viewport, height: Math.min(long, 3000) });
        await page.screenshot({ path: join(folder(words, colorScheme, kind), `${name}.png`), animations: 'disabled' });
      }
      await page.setViewportSize(wide!.viewport);
    });
  },
});

async function visit(page: Page, path: string): Promise<void> {
  await page.goto(path);
  await hydrated(page);
  if (path.includes('dialog=')) await expect(page.getByRole('dialog')).toBeVisible();
  await expect(page.locator('.busy-line')).toHaveCount(0);
}

/** Signs in, and puts the reminder of the recovery kit off: it has a picture of its own. */
async function enter(page: Page, server?: Server): Promise<void> {
  await signIn(page, people.owner, server);
  await visit(page, `${server?.url ?? ''}/volumes`);
  await page.locator('form[action="/kit/later"] button').click();
  await expect(page.locator('form[action="/kit/later"]')).toHaveCount(0);
}

test('every screen', async ({ page, api, keep, expected }) => {
  test.setTimeout(1_200_000);
  expected.answer(404, /^\/nowhere$/);
  await page.goto('/sign-in');
  await hydrated(page);
  await keep(page, 'sign-in');
  await signIn(page);
  await visit(page, '/volumes');
  // The reminder of the recovery kit has a picture of its own.
  await keep(page, 'reminder');
  await page.locator('form[action="/kit/later"] button').click();
  await expect(page.locator('form[action="/kit/later"]')).toHaveCount(0);
  for (const [name, path] of Object.entries(await screens(api))) {
    await visit(page, path);
    await keep(page, name);
  }
});

test('instances: several, branches, comparison, an undone restoration, long names', async ({ page, api, keep }) => {
  test.setTimeout(600_000);
  await enter(page);
  const running = (await api.instances()).find(({ state }) => state === 'running');
  if (running) {
    const at = `/instances/${running.id}`;
    const rows = (await api.points(running)).points as unknown as { id: string; children: number }[];
    const branching = rows.find(({ children }) => children > 1) ?? rows[0]!;
    const on = (dialog: string) => `${at}/points/${branching.id}?dialog=${dialog}&instance=${running.id}&point=${branching.id}`;
    for (const [name, path] of Object.entries({
      'points-delete-branch': on('delete-branch'),
      'points-new-volume': on('volume-from-point'),
      'points-new-template': on('template-from-point'),
    })) {
      await visit(page, path);
      await keep(page, name);
    }
    await visit(page, `${at}?dialog=create-point&instance=${running.id}`);
    await page.locator('dialog input[name=memory]').check();
    await keep(page, 'instance-running-create-point-memory');
    await visit(page, `${at}/points/${branching.id}`);
    await page.locator('.details .menu button').first().click();
    await keep(page, 'points-menu');
  }
  const made = await api.createInstance(strange[0]!);
  await api.createInstance(strange[2]!);
  const point = await api.createPoint(made, strange[0]!);
  await api.createPoint(made, strange[1]!);
  await api.rollBack(point);
  const [undo] = await until('the instance is restored', async () => (await api.points(made)).undo ?? undefined);
  const [, disk] = await api.volumesOf((await api.instance('preprod-mysql-node01')) ?? made);
  const all = (await api.instances()).map(({ id }) => `&instance=${id}`).join('');
  for (const [name, path] of Object.entries({
    'instances-strange': '/instances',
    'instances-start-several': `/instances?dialog=start${all}`,
    'instances-stop-several': `/instances?dialog=stop${all}`,
    'instances-delete-several': `/instances?dialog=delete-instance${all}`,
    'instance-strange': `/instances/${made.id}`,
    'instance-strange-points': `/instances/${made.id}/points`,
    'instance-strange-undo': `/instances/${made.id}/points?dialog=undo&instance=${made.id}&point=${undo}`,
    'instance-strange-delete': `/instances/${made.id}?dialog=delete-instance&instance=${made.id}`,
    ...(disk && { 'instance-detach': `/instances?dialog=detach&instance=${(await api.instance('preprod-mysql-node01'))!.id}&volume=${disk.id}` }),
  })) {
    await visit(page, path);
    await keep(page, name);
  }
});

test('what is open for a moment: menus, choices, tasks, notices, refusals', async ({ page, api, keep, w, unique, expected }) => {
  test.setTimeout(600_000);
  expected.answer(409, /^\/api\/volumes\/create$/);
  await enter(page);
  await visit(page, '/volumes');
  await page.locator('.list .act button').first().click();
  await keep(page, 'menu');
  await page.keyboard.press('Escape');
  for (const [name, button] of Object.entries({ account: '.avatar', tasks: '.tasks' })) {
    await page.locator(button).click();
    await keep(page, name);
    await page.keyboard.press('Escape');
  }
  for (const box of (await page.locator('tbody .pick input').all()).slice(0, 3)) await box.check();
  await keep(page, 'volumes-selected');
  await page.getByRole('button', { name: w('act-menu-selected'), exact: true }).click();
  await keep(page, 'volumes-selected-menu');
  const free = (await api.volumes()).slice(0, 3).map(({ id }) => `&volume=${id}`).join('');
  for (const dialog of ['take-snapshot', 'delete-volume']) {
    await visit(page, `/volumes?dialog=${dialog}${free}`);
    await keep(page, `volumes-${dialog}-several`);
  }
  await visit(page, '/volumes?dialog=create-volume');
  await page.locator('dialog input[name=name]').fill('ROOT-465');
  await page.locator('dialog button[type=submit]').click();
  await expect(page.locator('dialog [aria-invalid=true], dialog .note.bad').first()).toBeVisible();
  await keep(page, 'volumes-create-refused');
  await page.locator('dialog input[name=name]').fill(unique('livraisons'));
  await page.locator('dialog button[type=submit]').click();
  await expect(page.locator('.toast').first()).toContainText(w('ended-succeeded', { kind: 'create-volume' }));
  await keep(page, 'notice');
  await visit(page, '/volumes');
  await page.setViewportSize(phone!.viewport);
  await page.locator('.rail .pages').click();
  await keep(page, 'pages', 'phone');
});

test('what goes wrong: a store that is away, a list that does not come, a lost connection', async ({ page, keep, expected }) => {
  test.setTimeout(600_000);
  expected.console(/ERR_|EventSource/);
  expected.log(/./);
  const own = await Server.start();
  const api = await Api.as(own);
  const volume = await api.createVolume('commandes', undefined, rawImage('commandes', 32));
  // A file stands where the folder was: nothing can be written there, not even by root.
  const archive = join(own.data, 'archive');
  renameSync(archive, `${archive}.away`);
  writeFileSync(archive, '');
  await api.post('/api/volumes/take-snapshot', { volume: volume.id, name: 'commandes avant la migration' });
  await until('the save waits', async () => (await api.snapshots()).find(({ job }) => job?.state === 'waiting' || job?.state === 'failed'));
  await enter(page, own);
  for (const [name, path] of Object.entries({ snapshots: '/snapshots', volumes: '/volumes', home: '/', activity: '/activity', zones: '/zones' })) {
    await visit(page, own.url + path);
    await keep(page, `failing-${name}`);
  }
  await page.locator('.tasks').click();
  await keep(page, 'failing-tasks');
  await page.keyboard.press('Escape');
  rmSync(archive);
  renameSync(`${archive}.away`, archive);
  await page.route('**/api/volumes/list**', (route) => route.abort());
  await visit(page, `${own.url}/help/snapshot-or-recovery-point`);
  await page.locator('.rail a[href="/volumes"]').click();
  await expect(page.locator('.empty[role=alert]')).toBeVisible();
  await keep(page, 'failing-list');
  await page.unroute('**/api/volumes/list**');
  await visit(page, `${own.url}/volumes`);
  await own.stop('SIGKILL');
  await expect(page.locator('.banner:not(.kit)')).toBeVisible();
  await keep(page, 'lost-connection');
  await page.goto('about:blank');
  await api.dispose();
  await own.dispose().catch(() => undefined);
});

test('people: the door, an invitation, a member, one who may only look', async ({ page, visitor, keep, w, unique, expected }) => {
  test.setTimeout(600_000);
  expected.answer(401, /^\/sign-in$/);
  expected.answer(410, /^\/join\//);
  expected.answer(404, /^\/join\//);
  await page.goto('/sign-in');
  await hydrated(page);
  await page.locator('input[name=email]').fill(people.owner.email);
  await page.locator('input[name=password]').fill('autre chose');
  await page.locator('main button[type=submit]').click();
  await expect(page.getByText(w('fault-wrong-credentials'))).toBeVisible();
  await keep(page, 'sign-in-refused');
  await enter(page);
  await visit(page, '/organization');
  await page.getByLabel(w('sign-in-email'), { exact: true }).fill(`${unique('nora')}@boreale.example`);
  await page.getByRole('button', { name: w('organization-invite-submit') }).click();
  const link = await page.getByRole('textbox', { name: w('organization-link'), exact: true }).inputValue();
  await hydrated(page);
  await keep(page, 'organization-invited');
  await visit(page, '/organization');
  for (const [name, row] of Object.entries({ member: people.viewer.email, 'member-self': people.owner.email })) {
    await visit(page, '/organization');
    await page.getByRole('row').filter({ hasText: row }).getByRole('link').click();
    await expect(page.locator('h1')).not.toHaveText(w('organization-title'));
    await keep(page, name);
  }
  await page.context().clearCookies();
  for (const [name, address] of Object.entries({ join: link, 'join-not-usable': `${link.slice(0, -8)}00000000` })) {
    await visit(page, address);
    await keep(page, name);
  }
  const viewer = await visitor(people.viewer);
  for (const path of ['', 'instances', 'volumes', 'snapshots', 'templates', 'organization', 'zones', 'kit', 'volumes?dialog=create-volume']) {
    await visit(viewer, `/${path}`);
    await keep(viewer, `viewer-${path.replace(/\W+/g, '-') || 'home'}`);
  }
  await visit(viewer, '/instances');
  // Without QEMU the sample data has no instance.
  if (await viewer.locator('tbody th a').count()) {
    await viewer.locator('tbody th a').first().click();
    await keep(viewer, 'viewer-instance');
  }
});

test('an empty console, and one with many rows', async ({ visitor, server, keep }) => {
  test.setTimeout(600_000);
  const page = await visitor(people.stranger);
  for (const path of ['', 'instances', 'volumes', 'snapshots', 'templates', 'activity', 'instances?dialog=create-instance']) {
    await visit(page, `/${path}`);
    await keep(page, `empty-${path.replace(/\W+/g, '-') || 'home'}`);
  }
  const api = await Api.as(server, people.stranger);
  const zone = (await api.zones())[0]!.id;
  for (let many = 1; many <= 130; many += 1) {
    const answer = await api.post('/api/volumes/create', { name: `livraisons-${String(many).padStart(4, '0')}`, zone, size_gib: '1' });
    expect(answer.ok()).toBe(true);
  }
  await until('all are made', async () => ((await api.volumes()).every(({ state }) => state === 'ready') ? true : undefined), 120);
  await api.dispose();
  for (const [name, path] of Object.entries({ volumes: '/volumes?page=2', sorted: '/volumes?sort=-name&find=00', home: '/', activity: '/activity' })) {
    await visit(page, path);
    await keep(page, `many-${name}`);
  }
});

test('paper, and without scripts', async ({ page, browser, server, words, api, locale, viewport }) => {
  test.setTimeout(600_000);
  const running = (await api.instances())[0];
  await enter(page);
  await page.emulateMedia({ media: 'print' });
  await page.setViewportSize({ width: 760, height: 1000 });
  const [snapshot] = await api.snapshots();
  for (const [name, path] of Object.entries({
    volumes: '/volumes', activity: '/activity', snapshot: `/snapshots/${snapshot!.id}`, help: '/help/snapshot-or-recovery-point',
    ...(running && { instance: `/instances/${running.id}`, points: `/instances/${running.id}/points` }),
  })) {
    await visit(page, path);
    await page.screenshot({ path: join(folder(words, 'paper', 'wide'), `${name}.png`), fullPage: true });
  }
  const context = await browser.newContext({ baseURL: server.url, locale, viewport, javaScriptEnabled: false });
  const plain = await context.newPage();
  await signIn(plain, people.owner, server);
  for (const [name, path] of Object.entries({ home: '/', volumes: '/volumes', create: '/volumes?dialog=create-volume', snapshots: '/snapshots' })) {
    await plain.goto(path);
    await plain.screenshot({ path: join(folder(words, 'no-scripts', 'wide'), `${name}.png`) });
  }
  await context.close();
});
