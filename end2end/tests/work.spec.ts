// Long work and short: what was set going here is told when it ended, wherever one is by then.

import { people } from '../support/people.ts';
import type { Page } from '@playwright/test';
import { expect, hydrated, open, test } from '../support/test.ts';
import { Ui } from '../support/ui.ts';

/** The tasks whose end this browser is still to tell. */
const kept = (page: Page) => page.evaluate(() => localStorage.getItem('reprise-tasks'));

test('work that ends at once is told as ended, in place of the notice that it began', async ({ visitor, w, unique }) => {
  const page = await visitor(people.owner);
  const ui = new Ui(page, w);
  await ui.open('/volumes?dialog=create-volume');
  const create = ui.dialog('act-create-volume');
  await create.field('field-name').fill(unique('bref'));
  await create.submit.click();
  await expect(ui.notice(w('started', { kind: 'create-volume' }))).toBeVisible();
  const ended = ui.notice(w('ended-succeeded', { kind: 'create-volume' }));
  await expect(ended).toBeVisible();
  await expect(ui.notice(w('started', { kind: 'create-volume' }))).toHaveCount(0);
  // It can be closed by the keyboard, and is told once only.
  await ended.locator('..').locator('..').getByRole('button').focus();
  await page.keyboard.press('Escape');
  await expect(ended).toHaveCount(0);
  // No page that comes after has it to tell.
  expect(await kept(page)).toBe('');
  await page.reload();
  await hydrated(page);
  await expect(page.getByRole('button', { name: w('tasks-count', { count: 0, count_text: '0' }) })).toBeVisible();
  await expect(ended).toHaveCount(0);
});

test('a task that the server knows nothing of is not asked for any longer', async ({ visitor, api, unique }) => {
  const page = await visitor(people.owner);
  await open(page, '/volumes');
  // As somebody else's, who signed in here before.
  const task = '00000000-0000-7000-8000-000000000001';
  await page.evaluate((task_) => localStorage.setItem('reprise-tasks', task_), task);
  await page.reload();
  await hydrated(page);
  const asked = () => page.waitForRequest((request) => request.url().includes('/api/jobs/current'));
  // One answer can have been on its way before the task was; the next is believed.
  for (let answers = 0; answers < 2; answers += 1) {
    const again = asked();
    await api.createVolume(unique('autre'));
    await again;
  }
  await expect.poll(() => kept(page)).toBe('');
});

test('work that ended while nobody was there is told to who comes back', async ({ visitor, w, unique, expected }) => {
  expected.console(/net::ERR_FAILED/);
  const page = await visitor(people.owner);
  const ui = new Ui(page, w);
  await ui.open('/volumes?dialog=create-volume');
  const create = ui.dialog('act-create-volume');
  await create.field('field-name').fill(unique('retour'));
  // The answer to the form is all that this page still hears.
  await page.route('**/api/jobs/current**', (route) => route.abort());
  const sent = page.waitForResponse('**/api/volumes/create');
  await create.submit.click();
  await sent;
  await expect(ui.notice(w('started', { kind: 'create-volume' }))).toBeVisible();
  await page.unroute('**/api/jobs/current**');
  await ui.open('/help/snapshot-or-recovery-point');
  await expect(ui.notice(w('ended-succeeded', { kind: 'create-volume' }))).toBeVisible();
});

test('the page of tasks has what ended lately, follows what happens, and is linked from the list above every page', async ({ visitor, api, w, unique }) => {
  const page = await visitor(people.owner);
  const ui = new Ui(page, w);
  await ui.open('/volumes');
  await page.getByRole('button', { name: w('tasks-count', { count: 0, count_text: '0' }) }).click();
  await page.getByRole('link', { name: w('tasks-all'), exact: true }).click();
  await expect(page.getByRole('heading', { level: 1, name: w('tasks-title'), exact: true })).toBeVisible();
  await expect(page.getByText(w('tasks-live-none'), { exact: true })).toBeVisible();
  const name = unique('suivi');
  await api.createVolume(name);
  const ended = page.getByRole('main').getByRole('listitem').filter({ has: page.getByText(name, { exact: true }) });
  await expect(ended).toContainText(w('job-kind', { kind: 'create-volume' }));
  await expect(ended).toContainText(w('job-state-succeeded'));
  // What comes above it does not take its place, with the focus; and its name leads to what it made.
  const link = ended.getByRole('link', { name, exact: true });
  await link.focus();
  const next = unique('suivant');
  await api.createVolume(next);
  await expect(page.getByRole('main').getByRole('link', { name: next, exact: true })).toBeVisible();
  await expect(link).toBeFocused();
  await link.click();
  await expect(page.getByRole('heading', { level: 1, name, exact: true })).toBeVisible();
});
