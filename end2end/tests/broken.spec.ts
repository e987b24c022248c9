// A page of which something does not come, or not whole: it reads, its links lead on, and its forms work as without scripts.

import type { Page } from '@playwright/test';
import { people } from '../support/people.ts';
import { accessible, expect, hydrated, test } from '../support/test.ts';
import { Ui } from '../support/ui.ts';
import type { Words } from '../support/words.ts';

/** Gives what comes at the address only up to this part of it. */
async function cut(page: Page, address: string, part: number): Promise<void> {
  await page.route(address, async (route) => {
    const answer = await route.fetch();
    const body = await answer.body();
    const headers = answer.headers();
    delete headers['content-length'];
    delete headers['content-encoding'];
    await route.fulfill({ status: answer.status(), headers, body: body.subarray(0, Math.floor(body.length * part)) });
  });
}

/** Reads the list, sees it in the other order, and creates a volume by the plain form. */
async function works(page: Page, w: Words, name: string): Promise<void> {
  const ui = new Ui(page, w);
  await page.goto('/volumes');
  await expect(ui.row('ROOT-465')).toContainText(w('volume-state', { state: 'ready' }));
  await ui.go('snapshots');
  await ui.go('volumes');
  await page.getByRole('link', { name: w('act-create-volume'), exact: true }).click();
  const create = ui.dialog('act-create-volume');
  await create.field('field-name').fill(name);
  await create.submit.click();
  await expect(page.getByText(w('started', { kind: 'create-volume' }))).toBeVisible();
  await expect(page.locator('html[data-hydrated]')).toHaveCount(0);
}

const parts: { what: string; happens: (page: Page) => Promise<unknown>; told: RegExp }[] = [
  {
    what: 'the program does not come',
    happens: (page) => page.route('**/pkg/*.wasm', (route) => route.abort()),
    told: /ERR_FAILED|Failed to fetch/,
  },
  {
    what: 'the program is cut off',
    happens: async (page) => {
      const whole = await page.context().request.get('/pkg/reprise_bg.wasm');
      const body = (await whole.body()).subarray(0, 100_000);
      await page.route('**/pkg/*.wasm', (route) => route.fulfill({ contentType: 'application/wasm', body }));
    },
    told: /WebAssembly|wasm|CompileError|ERR_/,
  },
  {
    what: 'the script is not there',
    happens: (page) => page.route('**/pkg/*.js', (route) => route.fulfill({ status: 404, body: '' })),
    told: /dynamically imported module|404/,
  },
  {
    what: 'the words are not there',
    happens: (page) => page.route('**/words/*', (route) => route.fulfill({ status: 404, body: '' })),
    told: /404/,
  },
];

for (const { what, happens, told } of parts) {
  test(`${what}: the page reads and its forms work`, async ({ visitor, w, unique, expected }) => {
    expected.console(told);
    expected.uncaught(told);
    expected.answer(404, /^\/(pkg|words)\//);
    const page = await visitor(people.owner);
    await happens(page);
    await works(page, w, unique('casse'));
  });
}

test('a page that was cut in the middle stays as it came, and comes to life when it is whole', async ({ visitor, w }) => {
  const page = await visitor(people.owner);
  const ui = new Ui(page, w);
  // After the list and before what the scripts need.
  for (const part of [0.75, 0.9]) {
    await cut(page, '**/volumes', part);
    await page.goto('/volumes');
    await expect(ui.row('ROOT-465')).toBeVisible();
    await page.waitForLoadState('networkidle');
    await expect(page.locator('html[data-hydrated]')).toHaveCount(0);
    await page.unroute('**/volumes');
  }
  await page.reload();
  await hydrated(page);
});

test('without its style, or with one that is late, a page reads', async ({ visitor, w, expected }) => {
  expected.console(/ERR_FAILED/);
  const page = await visitor(people.owner);
  const ui = new Ui(page, w);
  await page.route('**/pkg/*.css', async (route) => {
    await new Promise((later) => setTimeout(later, 1500));
    await route.continue();
  });
  await ui.open('/volumes');
  await expect(ui.row('ROOT-465')).toBeVisible();
  await page.unroute('**/pkg/*.css');
  await page.route('**/pkg/*.css', (route) => route.abort());
  await ui.open('/snapshots');
  await ui.at('snapshots');
  await ui.go('volumes');
  await expect(ui.row('ROOT-465')).toBeVisible();
});

test('rows that cannot be refreshed stay, say from when they are, and are asked for again', async ({ visitor, api, w, unique, expected }) => {
  expected.console(/ERR_FAILED/);
  const page = await visitor(people.owner);
  const ui = new Ui(page, w);
  const name = unique('perime');
  const note = page.getByText(w('load-stale', { time: '\u0000' }).split('\u0000')[0]!);
  await ui.open('/volumes');
  await page.route('**/api/volumes/list*', (route) => route.abort());
  await api.createVolume(name);
  await expect(note).toBeVisible();
  await expect(ui.row('ROOT-465')).toBeVisible();
  await accessible(page, 'rows that are out of date');
  // Rows of another address are none of what is asked for.
  await page.goto('/volumes?find=data');
  await hydrated(page);
  await expect(ui.row('DATA-466')).toBeVisible();
  await page.getByRole('main').getByRole('searchbox').fill('root');
  await expect(page.getByText(w('fault-unreachable'))).toBeVisible();
  await expect(ui.row('DATA-466')).toHaveCount(0);
  await page.goto('/volumes');
  await hydrated(page);
  await api.createVolume(unique('perime'));
  await expect(note).toBeVisible();
  await page.unroute('**/api/volumes/list*');
  await page.getByRole('button', { name: w('load-retry'), exact: true }).click();
  await expect(note).toHaveCount(0);
});

test('a stream that is answered by something else is tried again, by itself and by a button', async ({ visitor, w, expected }) => {
  expected.answer(503, /^\/live$/);
  const page = await visitor(people.owner);
  const ui = new Ui(page, w);
  const again = page.getByRole('button', { name: w('live-again'), exact: true });
  let asked = 0;
  await page.route('**/live?*', (route) => {
    asked += 1;
    return route.fulfill({ status: 503, body: '' });
  });
  await ui.open('/volumes');
  await expect(again).toBeVisible();
  await expect(page.getByText(w('live-lost', { time: '\u0000' }).split('\u0000')[0]!)).toBeVisible();
  await accessible(page, 'a stream that is cut');
  const before = asked;
  await again.click();
  await expect.poll(() => asked).toBeGreaterThan(before);
  await expect(again).toBeVisible();
  await page.unroute('**/live?*');
  await expect(again).toHaveCount(0, { timeout: 40_000 });
});
