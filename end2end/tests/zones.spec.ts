// The zones: for who looks after the installation, and nobody else.

import { people } from '../support/people.ts';
import { accessible, expect, hydrated, signIn, test } from '../support/test.ts';
import { Ui } from '../support/ui.ts';

test('an operator sees how the installation stands', async ({ page, api, w, unique }) => {
  const ui = new Ui(page, w);
  const volume = await api.createVolume(unique('zone'));
  await signIn(page);
  await ui.open('/volumes');
  const rail = page.getByRole('navigation', { name: w('frame-nav') });
  await rail.getByRole('link', { name: w('zones-title'), exact: true }).click();
  await expect(page.getByRole('heading', { level: 1, name: w('zones-title'), exact: true })).toBeVisible();
  const card = (name: string) => page.locator('section.card').filter({ has: page.getByRole('heading', { level: 2, name, exact: true }) });
  const fact = (name: string, what: string) => card(name).locator('div', { has: page.getByText(w('zones-fact', { fact: what }), { exact: true }) }).locator('dd');
  const archive = w('zones-card', { what: 'archive', name: '' });
  await expect(fact(archive, 'store-answers')).toHaveText(w('zones-word', { word: 'yes' }));
  await expect(fact(archive, 'store-kind')).toHaveText(w('zones-word', { word: 'folder' }));
  const zones = page.getByRole('heading', { level: 2, name: new RegExp(`^${w('zones-card', { what: 'zone', name: '' }).trim()} `) });
  await expect(zones).toHaveCount(2);
  const zone = await zones.first().textContent() ?? '';
  await expect(card(zone).getByRole('meter', { name: w('zones-fact', { fact: 'room' }) })).toBeVisible();
  await expect(fact(zone, 'volumes')).toHaveText(/^\d+$/);
  // Names of volumes are the organizations'.
  await expect(page.locator('main').getByText(volume.name)).toHaveCount(0);
  await accessible(page, 'zones');
  await page.setViewportSize({ width: 390, height: 800 });
  expect.soft(await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth), 'on a phone').toBeLessThanOrEqual(0);
});

test('the page follows what happens, and is nobody else’s', async ({ page, visitor, api, w, unique }) => {
  await signIn(page);
  await new Ui(page, w).open('/zones');
  const { name } = (await api.zones())[0]!;
  const card = page.locator('section.card').filter({ has: page.getByRole('heading', { level: 2, name: w('zones-card', { what: 'zone', name }), exact: true }) });
  const volumes = card.locator('div', { has: page.getByText(w('zones-fact', { fact: 'volumes' }), { exact: true }) }).locator('dd');
  const before = Number(await volumes.textContent());
  // Asked for anew by the signal of tasks.
  await api.createVolume(unique('vivant'));
  await expect(volumes).toHaveText(String(before + 1));
  const other = await visitor(people.stranger);
  await other.goto('/zones');
  await hydrated(other);
  await expect(other.getByText(w('zones-operators'))).toBeVisible();
});

test('a Viewer is told whose page it is, and gets nothing else', async ({ page, w, expected }) => {
  await signIn(page, people.viewer);
  await new Ui(page, w).open('/zones');
  await expect(page.getByText(w('zones-operators'))).toBeVisible();
  const rail = page.getByRole('navigation', { name: w('frame-nav') });
  await expect(rail.getByRole('link', { name: w('zones-title'), exact: true })).toHaveCount(0);
  await accessible(page, 'zones, for who may not');
  expected.answer(403, /^\/api\/zones\/get$/);
  expect((await page.request.get('/api/zones/get')).status()).toBe(403);
});
