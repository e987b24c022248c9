// Coming in, going out, and in which language.

import { people } from '../support/people.ts';
import { accessible, expect, hydrated, signIn, test } from '../support/test.ts';
import { Ui } from '../support/ui.ts';
import { words as texts } from '../support/words.ts';

const { owner } = people;

test('a wrong password is said, the address stays, and the right one opens the page that was asked for', async ({ page, w }) => {
  const ui = new Ui(page, w);
  await ui.open('/snapshots');
  await expect(page).toHaveURL(/\/sign-in\?next=%2Fsnapshots$/);
  await accessible(page, 'signing in');
  await ui.signIn(owner.email, 'not the password');
  await expect(page.getByRole('alert')).toHaveText(w('fault-wrong-credentials'));
  await expect(page.getByLabel(w('sign-in-email'), { exact: true })).toHaveValue(owner.email);
  await accessible(page, 'signing in, refused');
  await ui.signIn(owner.email, owner.password);
  await ui.at('snapshots');
  await expect(page).toHaveURL(/\/snapshots$/);
});

test('an unknown address is answered as a wrong password is', async ({ page, w }) => {
  const ui = new Ui(page, w);
  await ui.open('/sign-in');
  await ui.signIn('nobody@boreale.example', owner.password);
  await expect(page.getByRole('alert')).toHaveText(w('fault-wrong-credentials'));
});

test('signing in never leads to another site', async ({ page, server, w }) => {
  const ui = new Ui(page, w);
  await ui.open(`/sign-in?next=${encodeURIComponent('//evil.example/')}`);
  await ui.signIn(owner.email, owner.password);
  await ui.at('home');
  expect(new URL(page.url()).origin).toBe(server.url);
});

test('I-15 who signed out sees nothing any more', async ({ page, w, expected }) => {
  // What another test changes has the page ask again, which may come after the session has ended.
  expected.answer(401, /^\/api\//);
  const ui = new Ui(page, w);
  await signIn(page);
  await ui.open('/volumes');
  await ui.signOut();
  await expect(page).toHaveURL(/\/sign-in/);
  await ui.open('/volumes');
  await expect(page).toHaveURL(/\/sign-in/);
  await page.goBack();
  await expect(page.getByText('ROOT-465')).toHaveCount(0);
});

test('the language is the browser’s, until the reader chooses; the page stays', async ({ page, w, words }) => {
  const tag = (language: 'fr' | 'en') => `${language}-CA`;
  const ui = new Ui(page, w);
  await signIn(page);
  await ui.open('/activity?page=1');
  await expect(page.locator('html')).toHaveAttribute('lang', tag(words));
  const other = words === 'fr' ? 'en' : 'fr';
  await ui.language(other);
  await expect(page.locator('html')).toHaveAttribute('lang', tag(other));
  await expect(page).toHaveURL(/\/activity\?page=1$/);
  await hydrated(page);
  await new Ui(page, texts(other)).at('activity');
  await page.reload();
  await expect(page.locator('html')).toHaveAttribute('lang', tag(other));
});

test.describe('a browser that asks for neither language', () => {
  test.use({ locale: 'de-DE' });
  test('gets French', async ({ page }) => {
    await page.goto('/sign-in');
    await expect(page.locator('html')).toHaveAttribute('lang', 'fr-CA');
    await hydrated(page);
    await expect(page.getByRole('button', { name: texts('fr')('sign-in-submit'), exact: true })).toBeVisible();
  });
});

test('a page that is not there says so, with a way back', async ({ page, w, expected }) => {
  expected.answer(404, /^\/nowhere$/);
  const ui = new Ui(page, w);
  await signIn(page);
  await ui.open('/nowhere');
  await expect(page.getByRole('heading', { level: 1, name: w('missing-title') })).toBeVisible();
  await accessible(page, 'an unknown page');
  await page.getByRole('link', { name: w('missing-back') }).click();
  await ui.at('home');
});
