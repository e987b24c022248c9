// What holds on every page.

import { people } from '../support/people.ts';
import { accessible, expect, signIn, test } from '../support/test.ts';
import { Ui } from '../support/ui.ts';

const pages = ['/', '/instances', '/volumes', '/snapshots', '/templates', '/activity', '/search?q=root', '/kit', '/help/snapshot-or-recovery-point'];

for (const path of pages) {
  test(`${path} is accessible, its title says what it is, and it asks nobody else for anything`, async ({ page, server, w }) => {
    const asked: string[] = [];
    page.on('request', (request) => { if (!request.url().startsWith('data:')) asked.push(new URL(request.url()).origin); });
    const ui = new Ui(page, w);
    await signIn(page);
    await ui.open(path);
    await accessible(page, path);
    const heading = await page.getByRole('heading', { level: 1 }).innerText();
    await expect(page).toHaveTitle(w('app-title', { page: heading }));
    expect([...new Set(asked)]).toEqual([server.url]);
  });
}

test('no page is wider than its window', async ({ page, w }) => {
  const ui = new Ui(page, w);
  await signIn(page);
  for (const width of [320, 768, 1280]) {
    await page.setViewportSize({ width, height: 800 });
    for (const path of [...pages, '/sign-in', '/volumes?dialog=create-volume']) {
      await ui.open(path);
      const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      expect.soft(over, `${path} at ${width}`).toBeLessThanOrEqual(0);
    }
  }
});

test('a stranger’s console is empty, and says what to do', async ({ visitor, w }) => {
  const page = await visitor(people.stranger);
  const ui = new Ui(page, w);
  await ui.open('/snapshots');
  await expect(page.getByText(w('snapshots-empty-title'))).toBeVisible();
  await accessible(page, 'an empty list');
});

test('answers carry their policy', async ({ page, server }) => {
  const answer = await page.request.get(`${server.url}/sign-in`);
  const headers = answer.headers();
  const policy = headers['content-security-policy']!;
  expect(policy).toContain("default-src 'none'");
  expect(policy).not.toContain("'unsafe-inline'");
  const nonce = /'nonce-([^']+)'/.exec(policy)![1]!;
  const again = (await page.request.get(`${server.url}/sign-in`)).headers()['content-security-policy']!;
  expect(again).not.toContain(nonce);
  expect(headers['x-content-type-options']).toBe('nosniff');
  const body = await answer.text();
  expect(body).not.toMatch(/\sstyle="/);
  expect(body).not.toMatch(/\son[a-z]+="/);
});

test('light and dark follow the device, and what was chosen goes before it', async ({ page, w }) => {
  const ui = new Ui(page, w);
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  await signIn(page);
  await ui.open('/volumes');
  const light = await ground();
  await page.emulateMedia({ colorScheme: 'dark' });
  const dark = await ground();
  expect(dark).not.toBe(light);
  await ui.theme('light');
  await expect(page.locator('html[data-theme="light"][data-hydrated]')).toBeAttached();
  expect(await ground()).toBe(light);
  await ui.theme('system');
  await expect(page.locator('html[data-hydrated]:not([data-theme])')).toBeAttached();
  expect(await ground()).toBe(dark);
});

test('on paper a list has its rows and columns and nothing that is pressed', async ({ page, w }) => {
  const ui = new Ui(page, w);
  await signIn(page);
  await ui.open('/volumes');
  await page.setViewportSize({ width: 700, height: 900 });
  await page.emulateMedia({ media: 'print', colorScheme: 'dark' });
  await expect(page.getByRole('columnheader', { name: w('volumes-column-size') })).toBeVisible();
  await expect(ui.row('ROOT-465')).toBeVisible();
  await expect(page.getByRole('navigation').first()).toBeHidden();
  await expect(page.getByRole('button')).toHaveCount(0);
  const [ink, ground] = await page.evaluate(() => {
    const style = getComputedStyle(document.querySelector('h1')!);
    return [style.color, getComputedStyle(document.querySelector('.card')!).backgroundColor];
  });
  expect([ink, ground]).toEqual(['rgb(21, 32, 43)', 'rgb(255, 255, 255)']);
});

test('text of twice its size needs no scrolling from side to side', async ({ page, w }) => {
  const ui = new Ui(page, w);
  await signIn(page);
  // A window of 1280 pixels at 200 % is one of 640; one of 320 is 400 %.
  await page.setViewportSize({ width: 640, height: 450 });
  for (const path of [...pages, '/volumes?dialog=create-volume']) {
    await ui.open(path);
    const small = await page.evaluate(() => [...document.querySelectorAll<HTMLElement>('button, select, input, .button, nav a')]
      .filter((control) => control.checkVisibility({ visibilityProperty: true }) && !control.closest('.unseen, .skip'))
      .map((control) => ({ control, box: (control.closest('label') ?? control).getBoundingClientRect() }))
      .filter(({ box }) => box.width > 0 && (box.height < 23.5 || box.width < 15.5))
      .map(({ control, box }) => `${control.outerHTML.slice(0, 90)} ${box.width}×${box.height}`));
    expect.soft(small, `targets on ${path}`).toEqual([]);
    const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    expect.soft(over, path).toBeLessThanOrEqual(0);
  }
});

test('a page that the server alone writes comes within the frame, goes and comes back, and says when it cannot be had', async ({ page, w, expected }) => {
  expected.console(/net::ERR_FAILED/);
  expected.answer(401, /^\/live$/);
  const ui = new Ui(page, w);
  await signIn(page);
  await ui.open('/volumes');
  const rail = page.getByRole('navigation', { name: w('frame-nav') });
  const title = (id: string) => page.getByRole('heading', { level: 1, name: w(id), exact: true });
  // The frame is the same document all along.
  await page.evaluate(() => document.body.setAttribute('data-same', ''));
  await rail.getByRole('link', { name: w('nav-help'), exact: true }).click();
  await expect(title('help-title')).toBeVisible();
  await expect(page).toHaveTitle(w('app-title', { page: w('help-title') }));
  const documents: string[] = [];
  page.on('request', (request) => { if (request.url().endsWith('/volumes')) documents.push(request.url()); });
  await page.goBack();
  await expect(title('volumes-title')).toBeVisible();
  await expect(page).toHaveTitle(w('app-title', { page: w('volumes-title') }));
  expect(documents, 'a page that the browser draws is not fetched as a document').toEqual([]);
  await page.goForward();
  await expect(title('help-title')).toBeVisible();
  await expect(page.locator('body[data-same]')).toBeVisible();
  await page.goBack();
  await page.route('**/help/**', (route) => route.abort());
  await rail.getByRole('link', { name: w('nav-help'), exact: true }).click();
  await expect(page.getByText(w('fault-unreachable'))).toBeVisible();
  await page.unroute('**/help/**');
  await page.getByRole('link', { name: w('load-retry'), exact: true }).click();
  await expect(title('help-title')).toBeVisible();
  // Signed out meanwhile: it leads to the door, and back.
  await ui.open('/volumes');
  await page.context().clearCookies();
  await rail.getByRole('link', { name: w('nav-help'), exact: true }).click();
  await expect(page).toHaveURL(/\/sign-in\?next=/);
});
