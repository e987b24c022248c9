// What every test has: the server of its worker, and guards that fail it for what a person would not see at once.

import { AxeBuilder } from '@axe-core/playwright';
import { test as base, expect, type Browser, type BrowserContext, type Page } from '@playwright/test';
import { Api } from './api.ts';
import { people, type Person } from './people.ts';
import { Server } from './server.ts';
import { words, type Language, type Words } from './words.ts';

export interface Options {
  /** The language that the browser asks for, and that the test looks for. */
  words: Language;
}

/** What a test expects to go wrong, and so is no failure of it. */
export class Expected {
  readonly answers: { status: number; path: RegExp }[] = [];
  readonly logged: RegExp[] = [];
  readonly consoled: RegExp[] = [];
  readonly thrown: RegExp[] = [];

  /** An answer with this 4xx status from this path. */
  answer(status: number, path: RegExp): void { this.answers.push({ status, path }); }
  /** A line of the server's log at ERROR. */
  log(line: RegExp): void { this.logged.push(line); }
  /** A line of the browser's console. */
  console(line: RegExp): void { this.consoled.push(line); }
  /** An error that no script of the page takes. */
  uncaught(message: RegExp): void { this.thrown.push(message); }
}

interface Fixtures {
  w: Words;
  expected: Expected;
  guards: Guards;
  /** The server's doors, as the Owner. */
  api: Api;
  /** A page of someone signed in, in a browser context of its own. */
  visitor: (who?: Person) => Promise<Page>;
  /** A name no other test uses. */
  unique: (name: string) => string;
}

interface WorkerFixtures { server: Server }

class Guards {
  readonly findings: string[] = [];
  constructor(private readonly expected: Expected) {}

  watch(context: BrowserContext): void {
    context.on('page', (page) => {
      page.on('pageerror', (error) => {
        if (!this.expected.thrown.some((known) => known.test(error.message))) this.findings.push(`uncaught: ${error.message}`);
      });
      page.on('console', (message) => {
        // A refused answer is judged below, by its status; the console repeats it without one.
        const repeated = message.text().startsWith('Failed to load resource: the server responded with a status of');
        if (message.type() === 'error' && !repeated && !this.expected.consoled.some((line) => line.test(message.text()))) {
          this.findings.push(`console: ${message.text()} (${message.location().url})`);
        }
      });
      page.on('response', (answer) => {
        const { pathname } = new URL(answer.url());
        const known = this.expected.answers.some(({ status, path }) => status === answer.status() && path.test(pathname));
        if (answer.status() >= 400 && !known) this.findings.push(`${answer.status()} ${answer.request().method()} ${pathname}`);
      });
    });
  }
}

let counter = 0;

export const test = base.extend<Fixtures & Options, WorkerFixtures>({
  words: ['fr', { option: true }],

  server: [async ({}, use) => {
    const server = await Server.start();
    await use(server);
    await server.dispose();
  }, { scope: 'worker' }],

  baseURL: async ({ server }, use) => { await use(server.url); },
  w: async ({ words: language }, use) => { await use(words(language)); },
  expected: async ({}, use) => { await use(new Expected()); },

  guards: [async ({ context, server, expected }, use, info) => {
    const guards = new Guards(expected);
    guards.watch(context);
    const from = server.log().length;
    await use(guards);
    const log = server.log(from);
    if (info.status !== info.expectedStatus) await info.attach('server.log', { body: log || '(nothing)', contentType: 'text/plain' });
    const lines = log.split('\n').filter((line) => /\bERROR\b|panicked at/.test(line) && !expected.logged.some((known) => known.test(line)));
    expect.soft(lines, 'errors in the server’s log').toEqual([]);
    expect.soft(guards.findings, 'errors in the browser').toEqual([]);
  }, { auto: true }],

  api: async ({ server }, use) => {
    const api = await Api.as(server);
    await use(api);
    await api.dispose();
  },

  visitor: async ({ browser, server, guards, locale, viewport, timezoneId, javaScriptEnabled }, use) => {
    const contexts: BrowserContext[] = [];
    await use(async (who = people.owner) => {
      const context = await (browser as Browser).newContext({ baseURL: server.url, locale, viewport, timezoneId, javaScriptEnabled });
      contexts.push(context);
      guards.watch(context);
      const page = await context.newPage();
      await signIn(page, who);
      return page;
    });
    for (const context of contexts) await context.close();
  },

  unique: async ({}, use, info) => {
    await use((name) => `${name}-${info.project.name}-${info.workerIndex}-${(counter += 1)}`);
  },
});

export { expect };

/** Signs the page's browser in without the form: the form has tests of its own. */
export async function signIn(page: Page, who: Person = people.owner, server?: Server): Promise<void> {
  const origin = server?.url ?? new URL((await page.context().request.get('/healthz')).url()).origin;
  const answer = await page.context().request.post(`${origin}/sign-in`, {
    form: { email: who.email, password: who.password, next: '/volumes' },
    headers: { Origin: origin },
    maxRedirects: 0,
  });
  expect(answer.headers().location, `signing in as ${who.email}`).toBe('/volumes');
  // What an earlier test had a member choose would follow into this one.
  await page.context().clearCookies({ name: /^reprise_(language|theme)$/ });
}

/** Waits until the page has come alive; without scripts it never does, and need not. */
export async function hydrated(page: Page): Promise<void> {
  await expect(page.locator('html[data-hydrated]')).toBeAttached();
}

export async function open(page: Page, path: string): Promise<void> {
  await page.goto(path);
  await hydrated(page);
}

/** No finding of axe's, at WCAG 2.2 AA, in light and in dark. */
export async function accessible(page: Page, what: string): Promise<void> {
  // Its style may come after what it says.
  await page.waitForLoadState();
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    // In the page itself: without frames there is nothing to put together in a blank one, which made the walk through all screens 85 s instead of 53.
    const { violations } = await new AxeBuilder({ page })
      .setLegacyMode()
      .withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'])
      .analyze();
    const told = violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html).join(' | ')}`);
    expect.soft(told, `axe, ${what}, ${colorScheme}`).toEqual([]);
  }
  await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' });
}
