// The same forms without scripts: a link is made and used, a role changed, a member removed, a profile saved.

import { people } from '../support/people.ts';
import { expect, signIn, test } from '../support/test.ts';
import { words as texts } from '../support/words.ts';

test('members come, change and go by plain forms', async ({ page, browser, server, locale, w, unique }) => {
  const email = `${unique('sans-script')}@boreale.example`;
  const password = 'cheval agrafe pile';
  await signIn(page);
  await page.goto('/organization');
  await page.getByLabel(w('sign-in-email'), { exact: true }).fill(email);
  await page.getByLabel(w('organization-role'), { exact: true }).selectOption('owner');
  await page.getByRole('button', { name: w('organization-invite-submit') }).click();
  const link = await page.getByRole('textbox', { name: w('organization-link'), exact: true }).inputValue();

  const context = await browser.newContext({ baseURL: server.url, locale, javaScriptEnabled: false });
  const theirs = await context.newPage();
  await theirs.goto(link);
  await theirs.getByLabel(w('profile-name'), { exact: true }).fill('Sacha');
  await theirs.getByLabel(w('sign-in-password'), { exact: true }).fill(password);
  await theirs.getByLabel(w('password-again'), { exact: true }).fill(password);
  await theirs.getByRole('button', { name: w('join-submit') }).click();
  await theirs.goto('/profile');
  await theirs.getByLabel(w('frame-language'), { exact: true }).and(theirs.locator('select')).selectOption('en');
  await theirs.getByLabel(w('profile-name'), { exact: true }).fill(' ');
  await theirs.getByRole('button', { name: w('profile-save') }).click();
  await expect(theirs.getByText(w('fault-name-empty'))).toBeVisible();
  await expect(theirs.getByLabel(w('frame-language'), { exact: true }).and(theirs.locator('select'))).toHaveValue('en');
  await theirs.getByLabel(w('profile-name'), { exact: true }).fill('Sacha S.');
  await theirs.getByRole('button', { name: w('profile-save') }).click();
  const en = texts('en');
  await expect(theirs.getByText(en('profile-saved'))).toBeVisible();

  // The two Owners: the one makes the other a Viewer, who may then change nothing.
  await theirs.goto('/organization');
  await page.goto('/organization');
  await page.getByRole('link', { name: w('organization-manage-named', { name: 'Sacha S.' }) }).click();
  await page.getByLabel(w('organization-role'), { exact: true }).selectOption('viewer');
  await page.getByRole('button', { name: w('member-role-save'), exact: true }).click();
  await expect(page.getByText(w('member-role-saved'))).toBeVisible();
  await theirs.getByLabel(en('sign-in-email'), { exact: true }).fill('late@boreale.example');
  await theirs.getByRole('button', { name: en('organization-invite-submit') }).click();
  await expect(theirs.getByText(en('fault-not-allowed')).first()).toBeVisible();
  await expect(theirs.getByLabel(en('sign-in-email'), { exact: true })).toHaveValue('late@boreale.example');

  await page.getByRole('checkbox', { name: w('member-remove-sure', { name: 'Sacha S.' }) }).check();
  await page.getByRole('button', { name: w('member-remove-submit', { name: 'Sacha S.' }) }).click();
  await expect(page.getByText(w('organization-removed'))).toBeVisible();
  await theirs.goto('/volumes');
  await expect(theirs).toHaveURL(/\/sign-in/);
  await theirs.goto(link);
  await expect(theirs.getByText(en('fault-invitation-not-usable'))).toBeVisible();
  await context.close();

  await page.goto('/organization');
  await expect(page.getByRole('row').filter({ hasText: people.viewer.email })).toBeVisible();
});
