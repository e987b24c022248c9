// Searching without scripts: a plain form.

import { expect, signIn, test } from '../support/test.ts';

test('the field in the bar above is a plain form', async ({ page, w }) => {
  await signIn(page);
  await page.goto('/volumes');
  const field = page.getByRole('banner').getByRole('searchbox', { name: w('search-label') });
  await field.fill('root 465');
  await field.press('Enter');
  await expect(page).toHaveURL(/\/search\?q=root\+465$/);
  await expect(page.getByRole('main').getByRole('link', { name: 'ROOT-465', exact: true }).first()).toBeVisible();
});
