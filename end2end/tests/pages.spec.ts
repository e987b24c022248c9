// What holds on every page.

import { people } from '../support/people.ts';
import { accessible, expect, signIn, test } from '../support/test.ts';
import { Ui } from '../support/ui.ts';

const pages = ['/instances', '/volumes', '/snapshots', '/templates', '/activity', '/kit', '/help/snapshot-or-recovery-point'];

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
