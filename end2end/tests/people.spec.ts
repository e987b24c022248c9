// Members: invited by a link, another role, removed; and what a member chooses for the console.

import { people } from '../support/people.ts';
import { accessible, expect, hydrated, open, signIn, test } from '../support/test.ts';
import { Ui } from '../support/ui.ts';
import { words as texts } from '../support/words.ts';

const password = 'cheval agrafe pile';

test('a member is invited by a link, gets another role, and is signed out when removed', async ({
  page, browser, server, guards, locale, w, words, unique, expected,
}) => {
  const ui = new Ui(page, w);
  const email = `${unique('new')}@boreale.example`;
  const label = (page_: typeof page, id: string) => page_.getByLabel(w(id), { exact: true });
  await signIn(page);
  await open(page, '/volumes');
  await ui.openAccount();
  await page.getByRole('link', { name: w('organization-title'), exact: true }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(w('organization-title'));
  const me = page.getByRole('row').filter({ hasText: people.owner.email });
  await expect(me).toContainText(w('organization-you'));
  await expect(me).toContainText(w('role-owner'));

  // What is refused stays as it was typed.
  await label(page, 'sign-in-email').fill(people.stranger.email);
  await label(page, 'organization-role').selectOption('editor');
  await page.getByRole('button', { name: w('organization-invite-submit') }).click();
  await expect(page.getByText(w('fault-address-not-free'))).toBeVisible();
  await expect(label(page, 'sign-in-email')).toHaveValue(people.stranger.email);
  await expect(label(page, 'organization-role')).toHaveValue('editor');
  await hydrated(page);
  await accessible(page, 'the organization, an invitation refused');
  await label(page, 'sign-in-email').fill(email);
  await page.getByRole('button', { name: w('organization-invite-submit') }).click();
  const link = await page.getByRole('textbox', { name: w('organization-link'), exact: true }).inputValue();
  expect(link).toMatch(new RegExp(`^${server.url}/join/[0-9a-f]{64}$`));
  await hydrated(page);
  await expect(page.getByRole('row').filter({ hasText: email })).toContainText(w('role-editor'));
  await accessible(page, 'the organization, with a link');
  await page.reload();
  await hydrated(page);
  await expect(page.getByRole('row').filter({ hasText: email })).toBeVisible();
  await expect(page.getByText(w('organization-link-what'))).toHaveCount(0);

  // Whoever has the link is a member after one form.
  const context = await browser.newContext({ baseURL: server.url, locale });
  guards.watch(context);
  const theirs = await context.newPage();
  const referers: string[] = [];
  theirs.on('request', (request) => referers.push(request.headers().referer ?? ''));
  await open(theirs, link);
  await expect(theirs.getByText(w('join-heading', { organization: 'Érablière Boréale' }))).toBeVisible();
  await accessible(theirs, 'an invitation');
  await label(theirs, 'profile-name').fill('Nora Nouvelle');
  await label(theirs, 'sign-in-password').fill(password);
  await label(theirs, 'password-again').fill(`${password}s`);
  await theirs.getByRole('button', { name: w('join-submit') }).click();
  await expect(theirs.getByText(w('fault-passwords-differ'))).toBeVisible();
  await expect(label(theirs, 'profile-name')).toHaveValue('Nora Nouvelle');
  await expect(label(theirs, 'sign-in-password')).toHaveValue('');
  await label(theirs, 'sign-in-password').fill(password);
  await label(theirs, 'password-again').fill(password);
  await theirs.getByRole('button', { name: w('join-submit') }).click();
  await expect(theirs).toHaveURL(/\/(instances)?$/);
  const token = link.slice(-64);
  expect(referers.filter((referer) => referer.includes(token))).toEqual([]);
  expect(server.log()).not.toContain(token);
  await open(theirs, '/volumes');

  // The Owner's page, which has stayed open, has the member.
  const row = page.getByRole('row').filter({ hasText: email });
  await expect(row).toContainText('Nora Nouvelle');
  await row.getByRole('link', { name: w('organization-manage-named', { name: 'Nora Nouvelle' }) }).click();
  await label(page, 'organization-role').selectOption('viewer');
  await page.getByRole('button', { name: w('member-role-save'), exact: true }).click();
  await expect(page.getByText(w('member-role-saved'))).toBeVisible();
  await hydrated(page);
  await accessible(page, 'a member');
  // Theirs, which still offers what an Editor may do, is told.
  await expect(theirs.getByText(w('live-role'))).toBeVisible();
  await accessible(theirs, 'a page made for another role');
  await theirs.getByRole('link', { name: w('live-role-again'), exact: true }).click();
  await hydrated(theirs);
  await expect(theirs.getByText(w('role-viewer-note'))).toBeVisible();
  await expect(theirs.getByText(w('live-role'))).toHaveCount(0);
  await open(theirs, '/organization');
  await expect(theirs.getByText(w('fault-not-allowed'))).toBeVisible();
  await expect(theirs.getByRole('button', { name: w('organization-invite-submit') })).toBeDisabled();
  await accessible(theirs, 'the organization, as a viewer');

  // Removed: the page that is open leads to the door by itself.
  expected.answer(401, /^\/(api\/|live)/);
  await open(theirs, '/volumes');
  await expect(async () => {
    await page.getByRole('checkbox', { name: w('member-remove-sure', { name: 'Nora Nouvelle' }) }).check();
    await page.getByRole('button', { name: w('member-remove-submit', { name: 'Nora Nouvelle' }) }).click();
    await expect(page.getByText(w('organization-removed'))).toBeVisible({ timeout: 5_000 });
  }).toPass();
  await expect(theirs).toHaveURL(/\/sign-in/);
  await hydrated(page);
  await expect(page.getByRole('row').filter({ hasText: email })).toHaveCount(0);
  await ui.go('activity');
  for (const act of ['activity-remove-member', 'activity-join']) {
    await expect(page.getByRole('rowheader', { name: w(act), exact: true }).first()).toBeVisible();
  }
  await open(theirs, link);
  await expect(theirs.getByText(w('fault-invitation-not-usable'))).toBeVisible();
  await accessible(theirs, 'a link that cannot be used');
  await context.close();
  expect(words).toBeTruthy();
});

test('an invitation that goes does not leave the focus on the next one’s button', async ({ page, visitor, w, unique }) => {
  const emails = [1, 2, 3].map((number) => `${unique(`focus${number}`)}@boreale.example`);
  const withdraw = (of: typeof page, email: string) => of.getByRole('button', { name: w('organization-withdraw-named', { email }) });
  await signIn(page);
  await open(page, '/organization');
  for (const email of emails) {
    await page.getByLabel(w('sign-in-email'), { exact: true }).fill(email);
    await page.getByRole('button', { name: w('organization-invite-submit') }).click();
    await expect(withdraw(page, email)).toBeVisible();
    await hydrated(page);
  }
  const other = await visitor(people.owner);
  await open(other, '/organization');
  // The one before and the one after go; this one stays, with the focus.
  await withdraw(page, emails[1]!).focus();
  for (const email of [emails[0]!, emails[2]!]) {
    await withdraw(other, email).click();
    await expect(withdraw(page, email)).toHaveCount(0);
    await expect(withdraw(page, emails[1]!)).toBeFocused();
  }
  await withdraw(page, emails[1]!).click();
});

test('the last Owner stays, and nobody changes their own role', async ({ page, w, visitor }) => {
  const stranger = await visitor(people.stranger);
  await open(stranger, '/organization');
  await expect(stranger.getByText('boreale.example')).toHaveCount(0);
  await stranger.getByRole('link', { name: w('organization-manage'), exact: false }).first().click();
  await expect(stranger.getByText(w('fault-own-role'))).toBeVisible();
  await expect(stranger.getByText(w('fault-last-owner'))).toBeVisible();
  await expect(stranger.getByRole('button', { name: w('member-leave-submit') })).toBeDisabled();
  await expect(page).toHaveURL('about:blank');
});

test('language, theme and time zone are the member’s, in every browser; so is the password', async ({ page, browser, server, w, words, unique, api, locale }) => {
  // A member of its own: what is chosen would follow the others through their tests.
  const email = `${unique('choosy')}@boreale.example`;
  const ui = new Ui(page, w);
  await signIn(page);
  await open(page, '/organization');
  await page.getByLabel(w('sign-in-email'), { exact: true }).fill(email);
  await page.getByRole('button', { name: w('organization-invite-submit') }).click();
  const link = await page.getByRole('textbox', { name: w('organization-link'), exact: true }).inputValue();
  await ui.signOut();
  await open(page, link);
  await page.getByLabel(w('profile-name'), { exact: true }).fill('Camille');
  await page.getByLabel(w('sign-in-password'), { exact: true }).fill(password);
  await page.getByLabel(w('password-again'), { exact: true }).fill(password);
  await page.getByRole('button', { name: w('join-submit') }).click();
  await expect(page).toHaveURL(/\/(instances)?$/);

  await open(page, '/activity');
  const time = page.locator('tbody time').first();
  const before = await time.textContent();
  const instant = async () => new Date((await time.getAttribute('datetime'))!);
  const hour = (zone: string, at: Date) => new Intl.DateTimeFormat('en-CA', { timeZone: zone, hour: 'numeric', hourCycle: 'h23' }).format(at);
  const shown = (text: string | null) => /(\d{1,2})\s*[h:]\s*\d\d/.exec(text!)![1]!.replace(/^0(?=\d)/, '');
  expect(Number(shown(before)) % 12).toBe(Number(hour('America/Montreal', await instant())) % 12);

  await ui.openAccount();
  await page.getByRole('link', { name: w('profile-title'), exact: true }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(w('profile-title'));
  await hydrated(page);
  await accessible(page, 'the profile');
  const other = words === 'fr' ? 'en' : 'fr';
  const theirs = texts(other);
  await page.getByLabel(w('frame-language'), { exact: true }).and(page.locator('select')).selectOption(other);
  await page.getByLabel(w('frame-theme'), { exact: true }).and(page.locator('select')).selectOption('dark');
  await page.getByLabel(w('profile-time-zone'), { exact: true }).selectOption('Asia/Kolkata');
  await page.getByLabel(w('profile-name'), { exact: true }).fill('Camille C.');
  await page.getByRole('button', { name: w('profile-save') }).click();
  await expect(page.getByText(theirs('profile-saved'))).toBeVisible();
  await expect(page.locator('html')).toHaveAttribute('lang', `${other}-CA`);
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
  await hydrated(page);
  await expect(page.getByLabel(theirs('profile-time-zone'), { exact: true })).toHaveValue('Asia/Kolkata');
  await accessible(page, 'the profile, saved');

  // Another browser, by the door.
  const context = await browser.newContext({ baseURL: server.url, locale });
  const elsewhere = await context.newPage();
  await open(elsewhere, '/sign-in?next=/activity');
  await new Ui(elsewhere, w).signIn(email, password);
  await expect(elsewhere.getByRole('heading', { level: 1 })).toHaveText(theirs('activity-title'));
  await expect(elsewhere.locator('html')).toHaveAttribute('data-theme', 'dark');
  const there = elsewhere.locator('tbody time').first();
  const at = new Date((await there.getAttribute('datetime'))!);
  expect(Number(shown(await there.textContent())) % 12).toBe(Number(hour('Asia/Kolkata', at)) % 12);
  await hydrated(elsewhere);

  // The password: the present one is asked for, and the other browser is out.
  const fill = async (current: string, fresh: string) => {
    await page.getByLabel(theirs('profile-password-current'), { exact: true }).fill(current);
    await page.getByLabel(theirs('password-new'), { exact: true }).fill(fresh);
    await page.getByLabel(theirs('password-again'), { exact: true }).fill(fresh);
    await page.getByRole('button', { name: theirs('profile-password-submit') }).click();
  };
  await fill('not the password', `${password} neuf`);
  await expect(page.getByText(theirs('fault-wrong-password'))).toBeVisible();
  await expect(page.getByLabel(theirs('profile-password-current'), { exact: true })).toHaveAttribute('aria-invalid', 'true');
  await hydrated(page);
  await accessible(page, 'the profile, a password refused');
  await fill(password, `${password} neuf`);
  await expect(page.getByText(theirs('profile-password-saved'))).toBeVisible();
  await expect(page.getByText(theirs('profile-session-this'))).toHaveCount(1);
  await expect(elsewhere).toHaveURL(/\/sign-in/);
  await context.close();
  expect((await api.volumes()).length).toBeGreaterThan(0);
});
