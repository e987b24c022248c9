// The server under measurement, used through its own doors like a browser.

import { spawn } from 'node:child_process';
import { createWriteStream, mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';

export const owner = { email: 'mt@boreale.example', password: 'reprise-demo' };

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

const freePort = () => new Promise((done) => {
  const probe = createServer().listen(0, '127.0.0.1', () => {
    const { port } = probe.address();
    probe.close(() => done(port));
  });
});

export class Server {
  static async start(binary, site, folder) {
    mkdirSync(folder, { recursive: true });
    const server = new Server();
    server.url = `http://127.0.0.1:${await freePort()}`;
    server.data = join(folder, 'data');
    const args = ['serve', '--demo', '--data', server.data, '--site', site, '--listen', server.url.slice('http://'.length)];
    const log = createWriteStream(join(folder, 'server.log'));
    server.child = spawn(binary, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    server.child.stdout.pipe(log);
    server.child.stderr.pipe(log);
    for (let tries = 0; ; tries += 1) {
      try {
        if ((await fetch(`${server.url}/healthz`)).ok) break;
      } catch (error) {
        if (tries > 300 || server.child.exitCode !== null) throw new Error(`the server does not answer, see ${folder}/server.log`, { cause: error });
      }
      await sleep(50);
    }
    await server.signIn();
    return server;
  }

  async signIn() {
    const body = new URLSearchParams({ ...owner, next: '/volumes' });
    const answer = await fetch(`${this.url}/sign-in`, { method: 'POST', body, redirect: 'manual', headers: { Origin: this.url } });
    this.cookie = answer.headers.getSetCookie().map((text) => text.split(';')[0]).join('; ');
    if (answer.headers.get('location') !== '/volumes') throw new Error(`not signed in: ${answer.headers.get('location')}`);
  }

  async get(path) {
    const answer = await fetch(this.url + path, { headers: { Cookie: this.cookie } });
    if (!answer.ok) throw new Error(`GET ${path}: ${answer.status} ${await answer.text()}`);
    return answer;
  }

  async post(path, form) {
    const headers = { Cookie: this.cookie, Origin: this.url, Accept: 'application/json' };
    const answer = await fetch(this.url + path, { method: 'POST', body: new URLSearchParams(form), headers });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`POST ${path}: ${answer.status} ${text}`);
    return text ? JSON.parse(text) : null;
  }

  async json(path) { return (await this.get(path)).json(); }

  async zones() { return (await this.json('/api/session/get')).zones; }

  /** A new empty volume of so many GiB, ready. */
  async createVolume(name, gib = 1) {
    const [zone] = await this.zones();
    await this.post('/api/volumes/create', { name, zone: zone.id, size_gib: gib });
    return this.untilRow('/api/volumes/list', name, 'ready');
  }

  /** The row of this name on the list's first page, once it has that state. */
  async untilRow(list, name, state) {
    for (;;) {
      const row = (await this.json(`${list}?page=1`)).rows.find((one) => one.name === name);
      if (row?.state === state) return row;
      if (row?.state === 'failed') throw new Error(`${name}: ${JSON.stringify(row)}`);
      await sleep(10);
    }
  }

  uri(volume) {
    const run = join(this.data, 'run');
    const sockets = readdirSync(run).filter((name) => name.endsWith('.sock'));
    return sockets.map((name) => `nbd+unix:///${volume}?socket=${join(run, name)}`);
  }

  /** Resident memory in KiB: all of it, and what is not a mapped file. */
  memory() {
    const status = readFileSync(`/proc/${this.child.pid}/status`, 'utf8');
    const kib = (name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)[1]);
    return { all: kib('VmRSS'), own: kib('RssAnon') };
  }

  async stop() {
    const gone = new Promise((done) => this.child.once('exit', done));
    this.child.kill('SIGTERM');
    await gone;
  }
}
