// Many browsers at once: each is signed in by itself, listens, and asks again for what it shows when it is told of a change.

import { Agent, request } from 'node:http';
import { median, percentile, processor, progress, sleep } from './tools.mjs';

const browsers = Number(process.env.REPRISE_BENCH_BROWSERS ?? 500);
const changes = 7;
const asks = '/api/volumes/list?listing[page]=1&listing[sort]=name&listing[find]=foule';
/** As the page does: changes that come close together are one refresh. */
const TOGETHER = 250;

export async function crowd(server, { print }) {
  progress(`signing in ${browsers} browsers`);
  const before = server.memory().all;
  const cookies = [];
  const begun = performance.now();
  for (let n = 0; n < browsers; n += 1) {
    await server.signIn();
    cookies.push(server.cookie);
  }
  const signing = (performance.now() - begun) / browsers;
  const agent = new Agent({ keepAlive: true, maxSockets: Infinity });
  const crowd = await Promise.all(cookies.map((cookie) => Browser.open(server.url, cookie, agent)));
  await sleep(3000);
  const still = server.memory().all;
  const idle = processor(server.child.pid);
  await sleep(10_000);
  const idleCost = (processor(server.child.pid) - idle) / 10;

  const [told, shown, cost] = [[], [], []];
  for (let n = 0; n < changes; n += 1) {
    for (const browser of crowd) browser.expect();
    const spent = processor(server.child.pid);
    const name = `foule-${n}-${Date.now()}`;
    const [zone] = await server.zones();
    const start = performance.now();
    await server.post('/api/volumes/create', { name, zone: zone.id, size_gib: 1 });
    const all = await Promise.all(crowd.map((browser) => browser.shows(name)));
    told.push(...all.map((one) => one.told - start));
    shown.push(...all.map((one) => one.shown - start));
    await sleep(4000);
    cost.push(processor(server.child.pid) - spent);
  }
  const most = server.memory().all;
  for (const browser of crowd) browser.close();
  agent.destroy();
  const mib = (kib) => (kib / 1024).toFixed(1);
  const ms = (taken) => `median ${median(taken).toFixed(0)} ms, 95 % within ${percentile(taken, 0.95).toFixed(0)} ms, last ${Math.max(...taken).toFixed(0)} ms`;
  print(`| ${browsers} browsers, each with a session and a stream of its own | Figure |`);
  print('|---|---|');
  print(`| Signing one in | ${signing.toFixed(0)} ms |`);
  print(`| A change is told to them (goal: all within 1 s) | ${ms(told)} |`);
  print(`| Each has asked again and has the new row, ${TOGETHER} ms of gathering included | ${ms(shown)} |`);
  print(`| Processor of the server, while nothing changes | ${(100 * idleCost).toFixed(1)} % of one |`);
  print(`| Processor of the server for one change, all ${browsers} asking again for their list and their tasks | ${median(cost).toFixed(2)} s |`);
  print(`| Resident memory without them, with them, after the changes | ${mib(before)}, ${mib(still)}, ${mib(most)} MiB |`);
  print();
}

class Browser {
  static open(url, cookie, agent) {
    const browser = new Browser();
    Object.assign(browser, { url, cookie, agent });
    return new Promise((done, failed) => {
      // Streams have connections of their own, as in a browser.
      browser.stream = request(`${url}/live`, { headers: { Cookie: cookie, Accept: 'text/event-stream' }, agent: false }, (answer) => {
        if (answer.statusCode !== 200) failed(new Error(`/live: ${answer.statusCode}`));
        answer.setEncoding('utf8');
        answer.on('data', (text) => browser.heard(text));
        done(browser);
      });
      browser.stream.on('error', (error) => { if (!browser.closed) failed(error); });
      browser.stream.end();
    });
  }

  expect() { Object.assign(this, { told: undefined, awaited: undefined }); }

  shows(name) {
    return new Promise((done, failed) => {
      this.awaited = { name, done, failed };
      // It may have been told before it was asked for.
      if (this.told !== undefined) this.soon();
    });
  }

  heard(text) {
    if (!text.includes('"volumes"')) return;
    this.told ??= performance.now();
    this.soon();
  }

  soon() {
    if (this.planned || !this.awaited) return;
    this.planned = true;
    setTimeout(() => {
      this.planned = false;
      this.refresh().catch((error) => this.awaited?.failed(error));
    }, TOGETHER);
  }

  async refresh() {
    const [rows] = await Promise.all([this.get(asks), this.get('/api/jobs/current')]);
    const waiting = this.awaited;
    if (waiting && rows.includes(waiting.name)) {
      this.awaited = undefined;
      waiting.done({ told: this.told, shown: performance.now() });
    }
  }

  get(path) {
    return new Promise((done, failed) => {
      const asked = request(this.url + path, { headers: { Cookie: this.cookie, Accept: 'application/json' }, agent: this.agent }, (answer) => {
        let text = '';
        answer.setEncoding('utf8');
        answer.on('data', (part) => { text += part; });
        answer.on('end', () => (answer.statusCode === 200 ? done(text) : failed(new Error(`${path}: ${answer.statusCode} ${text}`))));
      });
      asked.on('error', failed);
      asked.end();
    });
  }

  close() {
    this.closed = true;
    this.stream.destroy();
  }
}
