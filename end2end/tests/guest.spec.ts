// The article's second half on a real virtual machine. Its guest counts ten times a second, on its disks and in its memory,
// and tells both on its serial line: what came back with a recovery point, and what did not, can be read there.

import { type Point, until } from '../support/api.ts';
import { Guest, troubles } from '../support/guests.ts';
import { guestImage, Server } from '../support/server.ts';
import { screens } from '../support/screens.ts';
import { accessible, expect, open, signIn, test as base } from '../support/test.ts';
import { escaped, Ui } from '../support/ui.ts';

const test = base.extend<object, { server: Server }>({
  server: [async ({}, use) => {
    const server = await Server.start({ guests: true });
    await use(server);
    await server.dispose();
  }, { scope: 'worker', timeout: 180_000 }],
});

test.describe.configure({ mode: 'serial' });
test.skip(!guestImage, 'there is no guest image or no QEMU: ./dev test says which');

/** The instance of the sample data that runs. */
const node = 'warrenton-mysql-node01';
/** The words of this half of the article. The tests look for the others in the locales. */
const contract = {
  'nav-instances': { fr: 'Instances', en: 'Instances' },
  'act-menu': { fr: 'Action', en: 'Action' },
  'point-create': { fr: 'Créer un point de reprise', en: 'Create a recovery point' },
  'create-point-submit': { fr: 'Terminer', en: 'Finish' },
  'act-see-points': { fr: 'Voir les points de reprise', en: 'View recovery points' },
  'points-here': { fr: 'Vous êtes ici', en: 'You are here' },
} as const;

/** The point of the first test, for those after it. */
let origin: { point: Point; least: number; most: number };

test('I-14 an instance goes back to a recovery point, and the restoration is undone', async ({ page, api, w, words, unique }) => {
  for (const [id, texts] of Object.entries(contract)) expect(w(id)).toBe(texts[words]);
  const ui = new Ui(page, w);
  const instance = await api.settled(node, 'running');
  const guest = new Guest(api, instance);
  expect(troubles(await guest.boot())).toEqual([]);
  await guest.counts(20);
  await signIn(page);

  await ui.open('/instances');
  await ui.selectAndAct(node, 'point-create', 'act-menu-selected');
  const create = ui.dialog('point-create');
  await expect(create.root).toContainText(w('create-point-frozen'));
  await accessible(page, 'the dialog that creates a point');
  const name = unique('avant-mise-a-jour');
  await create.field('field-name').fill(name);
  await create.field('field-description').fill('MySQL 8.0 → 8.4');
  const least = await guest.count();
  await create.button('create-point-submit').click();
  await expect(ui.notice(w('started', { kind: 'create-point' }))).toBeVisible();
  const point = await api.point(instance, name);
  const most = await guest.most();
  origin = { point, least, most };
  expect(point).toMatchObject({ description: 'MySQL 8.0 → 8.4', consistency: 'frozen', running: true });
  expect(point.stood_still).toBeGreaterThan(0);

  // It counts on; none of that is in the point.
  const later = await guest.counts(most + 30);
  await ui.act(node, 'act-see-points');
  await page.getByRole('tree', { name: w('points-tree') }).getByRole('treeitem', { name: new RegExp(escaped(name)) }).click();
  await expect(page).toHaveURL(new RegExp(`/points/${point.id}$`));
  await page.getByRole('link', { name: w('point-restore'), exact: true }).click();
  const restore = ui.dialog('point-restore');
  await expect(restore.root).toContainText(w('rollback-what', { instance: node, point: name }));
  await expect(restore.root.getByRole('checkbox', { name: w('rollback-safety') })).toBeChecked();
  await accessible(page, 'the dialog of a restoration');
  let end = await guest.end();
  await restore.button('rollback-submit', { name: node }).click();
  const back = await guest.boot(end);
  expect(back.found).toBeGreaterThanOrEqual(least);
  expect(back.found).toBeLessThanOrEqual(most);
  // Frozen by its agent, the file system needed no repair; its memory was no part of it.
  expect(back.lines).toContain('mounted /data clean');
  expect(back.ticks[0]!.memory).toBe(1);
  expect(troubles(back)).toEqual([]);
  await api.settled(node, 'running');

  const tabs = page.getByRole('navigation', { name: w('instance-tabs') });
  await tabs.getByRole('link', { name: w('instance-tab-serial'), exact: true }).click();
  const log = page.getByRole('log', { name: w('instance-tab-serial') });
  await expect(log).toContainText(`counter begins at disk=${back.found}`);
  // It goes on by itself.
  await expect(log).toContainText(`tick disk=${(await guest.count()) + 20}`);
  await accessible(page, 'the serial log');

  await tabs.getByRole('link', { name: w('instance-tab-points'), exact: true }).click();
  await page.getByRole('link', { name: w('point-undo'), exact: true }).first().click();
  const undo = ui.dialog('point-undo');
  await expect(undo.root).toContainText(w('undo-what', { instance: node, point: name }));
  end = await guest.end();
  await undo.button('undo-submit', { name: node }).click();
  const undone = await guest.boot(end);
  expect(undone.found).toBeGreaterThanOrEqual(later);
  expect(troubles(undone)).toEqual([]);
  await api.settled(node, 'running');
});

test('I-12 with its memory kept, the guest goes on from the instant of the point, memory and disk', async ({ page, api, w, unique }) => {
  const ui = new Ui(page, w);
  const instance = await api.settled(node, 'running');
  const guest = new Guest(api, instance);
  await signIn(page);
  await ui.open(`/instances/${instance.id}/points`);
  await page.getByRole('link', { name: w('point-create'), exact: true }).first().click();
  const create = ui.dialog('point-create');
  const tick = create.root.getByRole('checkbox', { name: w('create-point-memory') });
  await expect(tick).not.toBeChecked();
  await tick.check();
  await accessible(page, 'the dialog that creates a point with memory');
  const name = unique('avec-memoire');
  await create.field('field-name').fill(name);
  const end = await guest.end();
  const least = await guest.count();
  await create.button('create-point-submit').click();
  const point = await api.point(instance, name);
  const most = await guest.most();
  expect(point).toMatchObject({ consistency: 'memory', running: true, refused: null });
  expect(point.stood_still).toBeGreaterThan(0);
  // It ran on meanwhile; in one run memory and disk are always as far apart.
  const before = await guest.goesOn(end, 2);
  const apart = before[0]!.disk - before[0]!.memory;
  const row = page.getByRole('tree', { name: w('points-tree') }).getByRole('treeitem', { name: new RegExp(escaped(name)) });
  await expect(row).toContainText(w('points-holds-memory'));

  await guest.counts(most + 40);
  await row.click();
  await expect(page.locator('.details')).toContainText(w('point-consistency', { consistency: 'memory' }));
  await page.getByRole('link', { name: w('point-restore'), exact: true }).click();
  const restore = ui.dialog('point-restore');
  await expect(restore.root).toContainText(w('rollback-memory'));
  await expect(restore.root).toContainText(w('rollback-memory-network'));
  await restore.root.getByRole('checkbox', { name: w('rollback-safety-memory') }).check();
  await accessible(page, 'the dialog of a restoration with memory');
  await restore.button('rollback-submit', { name: node }).click();
  await expect(ui.notice(w('ended-succeeded', { kind: 'rollback' }))).toBeVisible();
  await api.settled(node, 'running');
  const after = (await guest.goesOn(end, 60)).findLastIndex((one, at, all) => at > 0 && one.disk < all[at - 1]!.disk);
  const told = await guest.goesOn(end, after + 10);
  const back = told.slice(after);
  expect(back[0]!.disk).toBeGreaterThanOrEqual(least);
  expect(back[0]!.disk).toBeLessThanOrEqual(most + 1);
  for (const [index, one] of back.entries()) {
    expect(one.disk - one.memory).toBe(apart);
    if (index > 0) expect(one.disk).toBe(back[index - 1]!.disk + 1);
  }

  // The way back is one to a running guest, too: its memory was kept.
  const far = Math.max(...told.map((one) => one.disk));
  const undoFrom = await guest.end();
  await page.getByRole('link', { name: w('point-undo'), exact: true }).first().click();
  await ui.dialog('point-undo').button('undo-submit', { name: node }).click();
  const undone = await guest.goesOn(undoFrom, 30);
  const latest = undone.at(-1)!;
  expect(latest.disk - latest.memory).toBe(apart);
  expect(latest.disk).toBeGreaterThanOrEqual(far);
  await api.settled(node, 'running');
});

test('two branches grow from one point, each with its own count', async ({ page, api, w, unique }) => {
  const ui = new Ui(page, w);
  const instance = await api.settled(node, 'running');
  const guest = new Guest(api, instance);
  const branches: { point: Point; least: number; most: number }[] = [];
  for (const name of [unique('branche-a'), unique('branche-b')]) {
    const end = await guest.end();
    await api.rollBack(origin.point);
    const back = await guest.boot(end);
    expect(back.found).toBeGreaterThanOrEqual(origin.least);
    expect(back.found).toBeLessThanOrEqual(origin.most);
    await api.settled(node, 'running');
    // The second one counts further before its point.
    const least = await guest.counts(origin.most + 20 * (branches.length + 1) * (branches.length + 1));
    branches.push({ point: await api.createPoint(instance, name), least, most: await guest.most() });
  }
  const [a, b] = branches as [typeof branches[0], typeof branches[0]];
  const found = await api.points(instance);
  const depth = (id: string) => found.points.find((point) => point.id === id)!.depth;
  expect(found.current).toBe(b.point.id);
  expect(depth(a.point.id)).toBe(depth(origin.point.id) + 1);
  expect(depth(b.point.id)).toBe(depth(origin.point.id) + 1);

  await signIn(page);
  await ui.open(`/instances/${instance.id}/points`);
  const tree = page.getByRole('tree', { name: w('points-tree') });
  const here = tree.getByRole('treeitem').filter({ hasText: w('points-here') });
  await expect(here).toHaveAttribute('aria-level', String(depth(b.point.id) + 2));
  await accessible(page, 'a tree with branches');
  // The keys of a tree.
  await tree.getByRole('treeitem', { name: new RegExp(escaped(a.point.name)) }).click();
  await page.keyboard.press('End');
  await expect(tree.getByRole('treeitem').last()).toBeFocused();
  await page.keyboard.press('Home');
  await expect(tree.getByRole('treeitem').first()).toBeFocused();

  const end = await guest.end();
  await api.rollBack(a.point);
  const back = await guest.boot(end);
  expect(back.found).toBeGreaterThanOrEqual(a.least);
  expect(back.found).toBeLessThanOrEqual(a.most);
  expect(troubles(back)).toEqual([]);
  await api.settled(node, 'running');
  await expect(here).toHaveAttribute('aria-level', String(depth(a.point.id) + 2));
});

test('I-16 a guest outlives a killed server, which finds it again; its writes wait meanwhile', async ({ server, page, api, expected }) => {
  const instance = await api.settled(node, 'running');
  const guest = new Guest(api, instance);
  const [pid] = server.guests();
  const before = await guest.count();
  await page.goto('about:blank');
  await server.restart('SIGKILL');
  expected.log(/./);
  expect(server.guests()).toEqual([pid]);
  const after = await until('the guest is found again', async () => {
    const row = await api.instance(node).catch(() => undefined);
    return row?.state === 'running' ? row : undefined;
  });
  expect(after.fault).toBeNull();
  await guest.counts(before + 20);
  // One start, not a tick left out, nothing refused.
  const { text } = await guest.log();
  const lines = text.split(/\r?\n/);
  const begin = lines.findLastIndex((line) => line.startsWith('counter begins at '));
  const told = lines.slice(begin).flatMap((line) => /^tick disk=(\d+)/.exec(line)?.[1] ?? []).map(Number);
  expect(told.at(-1)).toBeGreaterThan(before);
  for (const [index, count] of told.slice(1).entries()) expect(count).toBe(told[index]! + 1);
  expect(lines.slice(begin).filter((line) => /counter: |I\/O error/.test(line))).toEqual([]);
});

test('a virtual machine that dies is said, and starts again with everything it had been told was written', async ({ server, page, api, w }) => {
  const ui = new Ui(page, w);
  const instance = await api.settled(node, 'running');
  const guest = new Guest(api, instance);
  await signIn(page);
  await ui.open('/instances');
  const end = await guest.end();
  for (const pid of server.guests()) process.kill(pid, 'SIGKILL');
  await expect(ui.row(node)).toContainText(w('instance-state', { state: 'failed' }));
  await expect(ui.row(node)).toContainText(w('fault-instance-died', { name: node }));
  await accessible(page, 'an instance that died');
  await api.start(instance);
  const again = await guest.boot(end);
  expect(again.lines).toContain('mounted /data recovered');
  expect(again.found).toBeGreaterThanOrEqual(again.before ?? 0);
  expect(troubles(again)).toEqual([]);
  await api.settled(node, 'running');
});

test('a snapshot of the root volume becomes a template, and an instance made from it boots', async ({ page, api, w, unique }) => {
  const ui = new Ui(page, w);
  const instance = await api.settled(node, 'running');
  const guest = new Guest(api, instance);
  await guest.counts(10);
  const root = (await api.volumesOf(instance))[0]!;
  await signIn(page);

  await ui.open('/volumes');
  const copy = unique('racine');
  await ui.selectAndAct(root.name, 'act-take-snapshot');
  const take = ui.dialog('act-take-snapshot');
  await take.field('take-snapshot-name').fill(copy);
  const least = await guest.count();
  await take.button('dialog-confirm').click();
  await expect(ui.notice(w('started', { kind: 'take-snapshot' }))).toBeVisible();
  await ui.go('snapshots');
  await expect(ui.row(copy)).toContainText(w('snapshot-state', { state: 'saved' }));
  const most = await guest.most();

  const template = unique('modele');
  await ui.act(copy, 'act-create-template');
  const make = ui.dialog('act-create-template');
  await make.field('field-name').fill(template);
  await make.button('create-template-submit').click();
  await expect(ui.notice(w('started', { kind: 'create-template' }))).toBeVisible();
  await ui.open('/templates');
  await expect(ui.row(template)).toContainText(w('template-state', { state: 'ready' }));

  // One guest at a time: the first one is switched off by its power button.
  await ui.open('/instances');
  await ui.act(node, 'act-stop');
  const stop = ui.dialog('stop-title');
  await expect(stop.root).toContainText(w('stop-what', { name: node }));
  await stop.button('act-stop').click();
  await expect(ui.row(node)).toContainText(w('instance-state', { state: 'stopped' }));
  expect((await guest.log()).text).toContain('unmounted /data');

  const name = unique('copie-node01');
  await page.getByRole('link', { name: w('act-create-instance'), exact: true }).click();
  const add = ui.dialog('act-create-instance');
  await add.field('field-name').fill(name);
  const option = add.field('instance-template').getByRole('option').filter({ hasText: template });
  await add.field('instance-template').selectOption((await option.getAttribute('value'))!);
  const zone = add.field('field-zone').getByRole('option').filter({ hasText: instance.zone });
  await add.field('field-zone').selectOption((await zone.getAttribute('value'))!);
  await accessible(page, 'the dialog that creates an instance');
  await add.button('create-instance-submit').click();
  await expect(ui.row(name)).toContainText(w('instance-state', { state: 'running' }));
  const boot = await new Guest(api, (await api.instance(name))!).boot();
  expect(boot.found).toBeGreaterThanOrEqual(least);
  expect(boot.found).toBeLessThanOrEqual(most);
  expect(troubles(boot)).toEqual([]);
});

test('every page and dialog of an instance is accessible in light and dark, and no wider than its window', async ({ page, api }) => {
  test.setTimeout(300_000);
  await signIn(page);
  const of = Object.entries(await screens(api)).filter(([name]) => name.startsWith('instance-'));
  expect(of.length).toBeGreaterThan(10);
  for (const [name, path] of of) {
    await open(page, path);
    if (path.includes('dialog=')) await expect(page.getByRole('dialog')).toBeVisible();
    await expect(page.locator('.busy-line')).toHaveCount(0);
    await accessible(page, name);
    await page.setViewportSize({ width: 320, height: 800 });
    expect.soft(await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth), name).toBeLessThanOrEqual(0);
    await page.setViewportSize({ width: 1280, height: 900 });
  }
});
