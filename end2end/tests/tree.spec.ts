// The hierarchy of recovery points: by keyboard, folded, by date, compared, cut back. The instance stands; nothing runs.

import type { Locator, Page } from '@playwright/test';
import type { Api, Instance, Point } from '../support/api.ts';
import { accessible, expect, signIn, test } from '../support/test.ts';
import { Ui } from '../support/ui.ts';

interface Made { instance: Instance; initial: Point; hardened: Point; trial: Point; tuned: Point; late: Point }

/** initial ─ durcie ─┬─ essai ─ Ésope      and here, below *tardive*
 *                    └─ tardive */
async function made(api: Api, name: string): Promise<Made> {
  const instance = await api.createInstance(name);
  const initial = await api.createPoint(instance, 'initial');
  const hardened = await api.createPoint(instance, 'durcie');
  const trial = await api.createPoint(instance, 'essai');
  const tuned = await api.createPoint(instance, 'Ésope');
  const plan = (await (await api.get(`/api/points/rollback-plan?point=${hardened.id}`)).json()) as { seal: string };
  await api.post('/api/points/rollback', { point: hardened.id, seal: plan.seal });
  await api.settled(name, 'stopped');
  const late = await api.createPoint(instance, 'tardive');
  return { instance, initial, hardened, trial, tuned, late };
}

const focused = (page: Page) => page.locator(':focus').locator('.what').locator('.name, .badge').first();

test('the tree is walked, folded and searched by keyboard alone', async ({ page, api, w, unique }) => {
  const { instance, trial } = await made(api, unique('clavier'));
  await signIn(page);
  const ui = new Ui(page, w);
  await ui.open(`/instances/${instance.id}/points`);
  const tree = page.getByRole('tree', { name: w('points-tree'), exact: true });
  const items = tree.getByRole('treeitem');
  await expect(items).toHaveCount(6);
  const levels = await items.evaluateAll((rows) => rows.map((row) => ['aria-level', 'aria-posinset', 'aria-setsize'].map((name) => row.getAttribute(name)).join(' ')));
  expect(levels).toEqual(['1 1 1', '2 1 1', '3 1 2', '4 1 1', '3 2 2', '4 1 1']);
  await accessible(page, 'the tree');

  // One row is in the order of the Tab key: the one whose details are shown.
  expect(await items.evaluateAll((rows) => rows.filter((row) => (row as HTMLElement).tabIndex === 0).length)).toBe(1);
  await tree.getByRole('treeitem', { name: 'tardive' }).focus();
  const goes = async (key: string, to: string) => {
    await page.keyboard.press(key);
    await expect(focused(page), key).toHaveText(to);
  };
  await goes('ArrowDown', w('points-here'));
  await goes('ArrowDown', w('points-here'));
  await goes('Home', 'initial');
  await goes('ArrowRight', 'durcie');
  await goes('ArrowRight', 'essai');
  await goes('ArrowRight', 'Ésope');
  await goes('ArrowRight', 'Ésope');
  await goes('ArrowLeft', 'essai');
  // The branch is folded: its rows are passed over, and it says how many there are.
  const branch = tree.getByRole('treeitem', { name: 'essai' });
  await expect(branch).toHaveAttribute('aria-expanded', 'true');
  await goes('ArrowLeft', 'essai');
  await expect(branch).toHaveAttribute('aria-expanded', 'false');
  await expect(branch).toContainText(w('points-folded', { count: 1, count_text: '1' }));
  await expect(tree.getByRole('treeitem', { name: 'Ésope' })).toBeHidden();
  await goes('ArrowDown', 'tardive');
  await goes('ArrowUp', 'essai');
  await goes('ArrowLeft', 'durcie');
  await goes('ArrowLeft', 'durcie');
  await expect(tree.getByRole('treeitem', { name: 'durcie' })).toContainText(w('points-here'));
  await goes('End', 'durcie');
  await goes('ArrowRight', 'durcie');
  await goes('ArrowRight', 'essai');
  // Letters find a name, whatever its accents; what is folded away is not found.
  await goes('t', 'tardive');
  await page.waitForTimeout(800);
  await goes('e', 'essai');
  await page.waitForTimeout(800);
  await goes('*', 'essai');
  await expect(branch).toHaveAttribute('aria-expanded', 'true');
  await page.keyboard.type('es');
  await expect(focused(page)).toHaveText('Ésope');
  await page.waitForTimeout(800);
  await goes('e', 'essai');
  // The space bar chooses, as Enter does; what is chosen is in the address.
  await page.waitForTimeout(800);
  await goes('Home', 'initial');
  await goes('ArrowDown', 'durcie');
  await goes('ArrowDown', 'essai');
  await page.keyboard.press(' ');
  await expect(page).toHaveURL(new RegExp(`/points/${trial.id}$`));
  await expect(branch).toHaveAttribute('aria-selected', 'true');
  await expect(page.getByRole('complementary').getByRole('heading', { level: 2 })).toHaveText('essai');
  await goes('ArrowUp', 'durcie');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('complementary').getByRole('heading', { level: 2 })).toHaveText('durcie');
  await expect(focused(page)).toHaveText('durcie');

  // Folded with the pointer, kept over a reload, and opened by an address that names what is below.
  await branch.locator('.twist').click();
  await expect(branch).toHaveAttribute('aria-expanded', 'false');
  await expect(page.getByRole('complementary').getByRole('heading', { level: 2 })).toHaveText('durcie');
  await page.reload();
  await expect(branch).toHaveAttribute('aria-expanded', 'false');
  await accessible(page, 'a folded tree');
  await expect(tree).toMatchAriaSnapshot(`
    - tree:
      - treeitem /^initial/ [expanded] [level=1]
      - treeitem /^durcie/ [expanded] [level=2] [selected]
      - treeitem /^essai/ [level=3]
      - treeitem /^tardive/ [expanded] [level=3]
      - treeitem /^${w('points-here')}/ [level=4]
  `);
  await ui.open(`/instances/${instance.id}/points/${(await api.points(instance)).points.find((row) => row.name === 'Ésope')!.id}`);
  await expect(tree.getByRole('treeitem', { name: 'Ésope' })).toBeVisible();
});

test('points stand by date in a table, and any two states are compared', async ({ page, api, w, unique }) => {
  const { instance, trial, late } = await made(api, unique('dates'));
  await signIn(page);
  const ui = new Ui(page, w);
  await ui.open(`/instances/${instance.id}/points/${trial.id}`);
  await page.getByRole('link', { name: w('points-view-time'), exact: true }).click();
  const table = page.getByRole('table', { name: w('points-table'), exact: true });
  const names = () => table.getByRole('rowheader').allInnerTexts();
  await expect(table).toBeVisible();
  expect(await names()).toEqual([w('points-here'), 'tardive', 'Ésope', 'essai', 'durcie', 'initial']);
  await table.getByRole('link', { name: w('points-column-name') }).click();
  await expect(table.getByRole('columnheader', { name: w('points-column-name') })).toHaveAttribute('aria-sort', 'ascending');
  expect((await names()).slice(1)).toEqual(['durcie', 'essai', 'initial', 'tardive', 'Ésope']);
  await accessible(page, 'points by date');
  await table.getByRole('link', { name: 'tardive' }).click();
  await expect(page).toHaveURL(new RegExp(`/points/${late.id}\\?view=time&sort=name$`));
  await expect(page.getByRole('complementary').getByRole('heading', { level: 2 })).toHaveText('tardive');

  await page.getByRole('button', { name: w('point-others-named', { name: 'tardive' }), exact: true }).click();
  await page.getByRole('link', { name: w('point-compare-here'), exact: true }).click();
  const title = (from: string, to: string) => page.getByRole('heading', { level: 2, name: w('compare-title', { from, to }), exact: true });
  await expect(title('tardive', w('points-here'))).toBeVisible();
  await expect(page.getByText(w('compare-same'))).toBeVisible();
  await page.getByLabel(w('compare-from'), { exact: true }).selectOption(trial.id);
  await page.getByLabel(w('compare-to'), { exact: true }).selectOption(late.id);
  await page.getByRole('button', { name: w('compare-submit'), exact: true }).click();
  await expect(title('essai', 'tardive')).toBeVisible();
  await expect(page).toHaveURL(new RegExp(`from=${trial.id}&to=${late.id}$`));
  await accessible(page, 'two points compared');
});

test('a branch is deleted after a tick, and a volume and a template are made from a point', async ({ page, api, w, unique }) => {
  const { instance, trial, tuned } = await made(api, unique('branche'));
  await signIn(page);
  const ui = new Ui(page, w);
  await ui.open(`/instances/${instance.id}/points/${trial.id}`);
  const act = async (words: string) => {
    await page.getByRole('button', { name: w('point-others-named', { name: 'essai' }), exact: true }).click();
    await page.locator('[popover]').getByRole('link', { name: w(words), exact: true }).click();
  };
  await act('act-restore');
  const make = ui.dialog('act-restore');
  const name = unique('repris');
  await make.root.getByLabel(w('field-name')).fill(name);
  await accessible(page, 'the dialog of a volume from a point');
  await make.submit.click();
  await expect.poll(async () => (await api.volume(name))?.state).toBe('ready');

  await act('act-create-template');
  const template = ui.dialog('act-create-template');
  const model = unique('patron');
  await template.root.getByLabel(w('field-name')).fill(model);
  await accessible(page, 'the dialog of a template from a point');
  await template.submit.click();
  await expect(template.root).toBeHidden();
  await expect.poll(async () => (await api.template(model))?.state).toBe('ready');

  await act('point-delete-branch');
  const dialog = ui.dialog('delete-branch-title');
  await expect(dialog.root).toContainText(w('delete-branch-what', { name: 'essai', count: 1, count_text: '1' }));
  await accessible(page, 'the dialog of a branch');
  await dialog.button('delete-branch-submit').click();
  // The tick is asked for first.
  await expect(dialog.root).toBeVisible();
  expect((await api.points(instance)).points).toHaveLength(5);
  await dialog.root.getByRole('checkbox').check();
  await dialog.button('delete-branch-submit').click();
  await expect(dialog.root).toBeHidden();
  const rows: Locator = page.getByRole('treeitem');
  await expect(rows).toHaveCount(4);
  await expect(page).toHaveURL(new RegExp(`/instances/${instance.id}/points$`));
  const left = (await api.points(instance)).points.map((row) => row.id);
  expect(left).not.toContain(tuned.id);
});

test('hundreds of points are a page that is quick to come and to use, also without scripts', async ({ browser, page, api, server, w, words, unique }) => {
  test.skip(words === 'en', 'once is enough');
  test.setTimeout(120_000);
  const name = unique('grande');
  const instance = await api.createInstance(name);
  for (let number = 1; number <= 200; number += 1) {
    // One act at a time on an instance: the next is refused until the last has ended.
    const create = () => api.post('/api/points/create', { instance: instance.id, name: `point ${number}`, description: '' });
    while ((await create()).status() === 409) await page.waitForTimeout(10);
  }
  await api.settled(name, 'stopped');
  await signIn(page);
  // A row was 2 KB, in the page and again in what brings it to life: all that is known of its point.
  const html = await (await page.request.get(`/instances/${instance.id}/points`)).text();
  const tree = html.slice(html.indexOf('role="tree"'), html.lastIndexOf('role="treeitem"'));
  expect(tree.length / 200).toBeLessThan(850);
  expect((await (await api.get(`/api/points/list?instance=${instance.id}`)).body()).length / 200).toBeLessThan(260);
  const ui = new Ui(page, w);
  await ui.open(`/instances/${instance.id}/points`);
  await expect(page.getByRole('treeitem')).toHaveCount(201);
  const before = Date.now();
  await page.getByRole('treeitem', { name: 'point 200' }).focus();
  await page.keyboard.press('Home');
  await page.keyboard.press('ArrowLeft');
  await expect(page.getByRole('treeitem').first()).toContainText(w('points-folded', { count: 199, count_text: '199' }));
  expect(Date.now() - before).toBeLessThan(3000);

  const plain = await browser.newContext({ baseURL: server.url, javaScriptEnabled: false, locale: 'fr-CA' });
  const still = await plain.newPage();
  await signIn(still, undefined, server);
  await still.goto(`/instances/${instance.id}/points`);
  await expect(still.getByRole('treeitem').last()).toBeVisible();
  await still.getByRole('link', { name: w('points-view-time'), exact: true }).click();
  await expect(still.getByRole('table').getByRole('row')).toHaveCount(202);
  await still.goto(`/instances/${instance.id}/points/compare?from=here&to=here`);
  await still.getByRole('button', { name: w('compare-submit'), exact: true }).click();
  await expect(still.getByText(w('compare-same'))).toBeVisible();
  await plain.close();
});
