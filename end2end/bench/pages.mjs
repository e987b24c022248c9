// What the console costs: memory, bytes, time on the server, time in a browser, and many browsers at once.

import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from '@playwright/test';
import { crowd } from './crowd.mjs';
import { fill } from './rows.mjs';
import { Server } from './server.mjs';
import { have, median, percentile, progress, sleep } from './tools.mjs';

const rows = Number(process.env.REPRISE_BENCH_ROWS ?? 10000);
const rounds = 20;
/** Bits a second and milliseconds of a far server: what Lighthouse takes for a phone's slow 4G. */
const far = { offline: false, latency: 150, downloadThroughput: (1.6 * 1024 * 1024) / 8, uploadThroughput: (750 * 1024) / 8 };

export async function pages(bench) {
  const server = await Server.start(bench.binary, bench.site, bench.folder);
  const browser = await chromium.launch({
    executablePath: process.env.REPRISE_CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
  try {
    await idle(server, bench);
    browserHalf(bench);
    await firstVisit(browser, server, bench);
    if (have('sqlite3')) {
      progress(`writing ${rows} rows a list`);
      await server.stop();
      fill(server.data, rows);
      await server.resume();
      await lists(server, bench);
      await sorting(browser, server, bench);
    } else {
      bench.print('Not measured: lists of many rows (sqlite3 is not installed).');
    }
    await browser.close();
    await crowd(server, bench);
  } finally {
    await browser.close();
    await server.stop();
  }
}

const kib = (bytes) => `${(bytes / 1024).toFixed(1)} KiB`;
const inMemory = ({ all, own }) => `${(all / 1024).toFixed(1)} MiB, of which ${(own / 1024).toFixed(1)} MiB are not mapped files`;
const told = (taken, digits = 0) => `${median(taken).toFixed(digits)} ms, 95 % within ${percentile(taken, 0.95).toFixed(digits)} ms`;

async function idle(server, { print }) {
  await sleep(5000);
  print('| What | Figure |');
  print('|---|---|');
  print(`| Idle server after filling its sample data, resident memory | ${inMemory(server.memory())} |`);
  await server.stop();
  await server.resume();
  await sleep(5000);
  print(`| The same, started again | ${inMemory(server.memory())} |`);
}

function browserHalf({ site, print }) {
  for (const name of ['reprise_bg.wasm', 'reprise.js', 'reprise.css']) {
    const file = join(site, 'pkg', `${name}.br`);
    if (existsSync(file)) print(`| ${name}, brotli | ${kib(statSync(file).size)} |`);
  }
}

/** A page of a browser that was never here, signed in; with what it reads from the network. */
async function visitor(browser, server, settings = {}) {
  const context = await browser.newContext({ locale: 'fr-CA', viewport: { width: 1280, height: 900 }, ...settings });
  const [name, value] = server.cookie.split(';')[0].split('=');
  await context.addCookies([{ name, value, url: server.url }]);
  await context.addInitScript(() => {
    new MutationObserver((_, observer) => {
      if (document.documentElement?.hasAttribute('data-hydrated')) {
        globalThis.alive = performance.now();
        observer.disconnect();
      }
    }).observe(document, { subtree: true, childList: true, attributes: true });
  });
  const page = await context.newPage();
  const cdp = await context.newCDPSession(page);
  await cdp.send('Network.enable');
  const bytes = new Map();
  const names = new Map();
  cdp.on('Network.responseReceived', ({ requestId, response }) => names.set(requestId, new URL(response.url).pathname));
  cdp.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => bytes.set(requestId, encodedDataLength));
  const fetched = () => [...bytes].map(([id, size]) => [names.get(id) ?? '?', size]).filter(([path]) => path !== '/live');
  return { context, page, cdp, fetched };
}

const alive = (page) => page.waitForFunction(() => globalThis.alive).then((found) => found.jsonValue());

async function firstVisit(browser, server, { print }) {
  const { context, page, fetched } = await visitor(browser, server);
  await page.goto(`${server.url}/instances`);
  await alive(page);
  await page.waitForLoadState('load');
  await sleep(500);
  const all = fetched();
  await context.close();
  const total = all.reduce((sum, [, size]) => sum + size, 0);
  print(`| First visit of a list, everything with its headers (at most 500 KiB) | ${kib(total)} |`);
  print(`| of it ${all.sort((a, b) => b[1] - a[1]).slice(0, 7).map(([path, size]) => `${path.split('/').pop()} ${kib(size)}`).join(', ')} | |`);
  for (const [what, slow, line] of [['processor 4 times slower', 4, null], ['processor 4 times slower, over a slow 4G line', 4, far], ['as it is', 1, null]]) {
    const taken = [];
    for (let n = 0; n < 7; n += 1) {
      const { context: own, page: fresh, cdp } = await visitor(browser, server);
      await cdp.send('Emulation.setCPUThrottlingRate', { rate: slow });
      if (line) await cdp.send('Network.emulateNetworkConditions', line);
      await fresh.goto(`${server.url}/instances`);
      taken.push(await alive(fresh));
      await own.close();
    }
    print(`| First visit until the page answers, ${what} | ${told(taken)} |`);
  }
  print();
}

/** Milliseconds from request to last byte, one request after the other on one connection. */
async function timed(server, path, requests = 200) {
  const taken = [];
  for (let n = 0; n < requests + 20; n += 1) {
    const begun = performance.now();
    await (await server.get(path)).arrayBuffer();
    if (n >= 20) taken.push(performance.now() - begun);
  }
  return told(taken, 1);
}

async function lists(server, { print }) {
  print('| 50 rows of so many (goal: 10 ms), to the last byte, one request after the other | the rows alone | the whole page |');
  print('|---|---|---|');
  const asked = [
    ['volumes', 'as the list is by itself', ''],
    ['volumes', 'the last page', 'page=9999'],
    ['volumes', 'by size, largest first', 'sort=-size'],
    ['volumes', 'by name', 'sort=name'],
    ['volumes', 'two words in the name', 'find=disque 77'],
    ['volumes', 'in one state, by name', 'state=ready&sort=name'],
    ['snapshots', 'as the list is by itself', ''],
    ['snapshots', 'by name', 'sort=name'],
    ['snapshots', 'a word in the name', 'find=copie-77'],
    ['activity', 'as the list is by itself', ''],
    ['activity', 'the last page', 'page=9999'],
  ];
  for (const [list, what, query] of asked) {
    const inner = new URLSearchParams(query);
    const wrapped = new URLSearchParams([...(inner.has('page') ? [] : [['page', '1']]), ...inner].map(([name, value]) => [`listing[${name}]`, value]));
    const { total } = await server.json(`/api/${list}/list?${wrapped}`);
    const alone = await timed(server, `/api/${list}/list?${wrapped}`);
    print(`| ${list}, ${what}: ${total} | ${alone} | ${await timed(server, `/${list}?${inner}`, 100)} |`);
  }
  print();
  print('| What | Figure |');
  print('|---|---|');
  print(`| Resident memory after that | ${inMemory(server.memory())} |`);
}

/** From the press on a column's head to the frame in which the new page stands. */
async function sorting(browser, server, { print }) {
  const { context, page } = await visitor(browser, server);
  for (const list of ['volumes', 'snapshots']) {
    await page.goto(`${server.url}/${list}`);
    await alive(page);
    await sleep(500);
    const taken = [];
    for (let n = 0; n < rounds; n += 1) {
      taken.push(await page.evaluate(() => new Promise((done, failed) => {
        const first = () => document.querySelector('table tbody tr')?.textContent;
        const before = first();
        const begun = performance.now();
        const late = setTimeout(() => failed(new Error('the rows never changed')), 5000);
        const watch = new MutationObserver(() => {
          if (first() === before || !first()) return;
          watch.disconnect();
          clearTimeout(late);
          // The frame that shows it has been drawn when the next one begins.
          requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - begun)));
        });
        watch.observe(document.querySelector('main'), { subtree: true, childList: true, characterData: true });
        document.querySelector('table thead th a').click();
      })));
      await sleep(150);
    }
    print(`| ${list}: a press on a column’s head until the new order is drawn (goal: 100 ms) | ${told(taken)} |`);
  }
  await context.close();
  print();
}
