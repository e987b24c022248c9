// Searching across everything, from any page.

import { accessible, expect, signIn, test } from '../support/test.ts';
import { Ui } from '../support/ui.ts';

test('whatever it is called is found, from the bar above, without leaving the frame', async ({ page, api, w, unique }) => {
  const name = unique('Érable œuvre');
  const volume = await api.createVolume(name);
  const ui = new Ui(page, w);
  await signIn(page);
  await ui.open('/instances');
  await page.evaluate(() => document.body.setAttribute('data-same', ''));
  const field = page.getByRole('banner').getByRole('searchbox', { name: w('search-label') });
  const phone = page.getByRole('banner').getByRole('link', { name: w('search-label') });
  if (await phone.isVisible()) {
    await phone.click();
    const own = page.getByRole('main').getByRole('searchbox', { name: w('search-label') });
    await own.fill(name.toUpperCase().replace('É', 'e'));
    await own.press('Enter');
  } else {
    await page.keyboard.press('Control+k');
    await expect(field).toBeFocused();
    await field.fill(name.toUpperCase().replace('É', 'e'));
    await field.press('Enter');
    await expect(page.locator('body[data-same]')).toBeVisible();
  }
  await expect(page.getByRole('heading', { level: 1, name: w('search-title'), exact: true })).toBeVisible();
  await accessible(page, 'search');
  const volumes = page.getByRole('region', { name: w('search-kind', { what: 'volume' }), exact: true });
  // Each of the words, as it is written.
  await expect(volumes.locator('mark').first()).toHaveText('Érable');
  await volumes.getByRole('link', { name, exact: true }).click();
  await expect(page.getByRole('heading', { level: 1, name, exact: true })).toBeVisible();
  expect(new URL(page.url()).pathname).toBe(`/volumes/${volume.id}`);
});

test('the names of things lead to them in either language, and odd words to a sentence', async ({ page, w }) => {
  const ui = new Ui(page, w);
  await signIn(page);
  const main = page.getByRole('main');
  const links = main.getByRole('region', { name: w('search-pages'), exact: true }).getByRole('link');
  for (const word of ['instantané', 'Snapshots', 'cliché']) {
    await ui.open(`/search?q=${encodeURIComponent(word)}`);
    await expect(links).toHaveText([w('nav-snapshots')]);
    await expect(main.getByRole('region', { name: w('search-kind', { what: 'snapshot' }), exact: true })).toBeVisible();
  }
  await ui.open('/search?q=disque');
  await expect(links).toHaveText([w('nav-volumes')]);
  await links.click();
  await expect(page.getByRole('heading', { level: 1, name: w('volumes-title'), exact: true })).toBeVisible();
  // What is not shown stands in the list, narrowed to the same.
  await ui.open('/search?q=volume');
  await expect(main.getByRole('region', { name: w('search-kind', { what: 'volume' }), exact: true })).toBeVisible();
  for (const odd of ['%', "'", '<mark>', '\u202eabc', '😀'.repeat(40), 'x'.repeat(2000)]) {
    await ui.open(`/search?q=${encodeURIComponent(odd)}`);
    await expect(main.getByText(w('search-none'))).toBeVisible();
  }
  await ui.open('/search?q=%20');
  await expect(main.getByText(w('search-what'))).toBeVisible();
});
