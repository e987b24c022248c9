// The server under measurement, used through its own doors like a browser.

import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, readdirSync, readlinkSync, realpathSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { sleep } from './tools.mjs';

export const owner = { email: 'mt@boreale.example', password: 'reprise-demo' };

export const freePort = () => new Promise((done) => {
  const probe = createServer().listen(0, '127.0.0.1', () => {
    const { port } = probe.address();
    probe.close(() => done(port));
  });
});

/** Asking takes the server's time: what has lasted long is asked for less often, within a fiftieth of how long it lasts. */
function patient(least) {
  const begun = performance.now();
  return () => sleep(Math.max(least, (performance.now() - begun) / 50));
}

export class Server {
  /** With `guest`, the disk image of a guest, the sample data has a template and two instances, which are stopped. */
  static async start(binary, site, folder, { guest, environment = {} } = {}) {
    mkdirSync(folder, { recursive: true });
    const server = new Server();
    server.url = `http://127.0.0.1:${await freePort()}`;
    server.data = join(folder, 'data');
    const env = { ...process.env, ...environment };
    // A guest that computes beside a measurement that is not about it would only disturb it.
    delete env.REPRISE_DEMO_TEMPLATE;
    if (guest) env.REPRISE_DEMO_TEMPLATE = guest;
    server.launch = () => {
      const args = ['serve', '--demo', '--stop-guests', '--data', server.data, '--site', site, '--listen', server.url.slice('http://'.length)];
      // Into the file itself: a pipe through this program is not read while it waits for another one.
      const log = openSync(join(folder, 'server.log'), 'a');
      server.child = spawn(binary, args, { stdio: ['ignore', log, log], env });
      closeSync(log);
    };
    server.launch();
    const end = () => server.kill();
    process.once('exit', end);
    server.forget = () => process.removeListener('exit', end);
    await server.answers();
    await server.signIn();
    if (guest) await server.quietSamples();
    return server;
  }

  /** Waits until the server that was launched answers. */
  async answers() {
    for (let tries = 0; ; tries += 1) {
      try {
        if ((await fetch(`${this.url}/healthz`)).ok) return;
      } catch (error) {
        if (tries > 600 || this.child.exitCode !== null) throw new Error(`the server does not answer, see server.log beside ${this.data}`, { cause: error });
      }
      await sleep(50);
    }
  }

  /** Kills the server as a power cut would, and starts it again on the same folder. */
  async crash() {
    const gone = new Promise((done) => this.child.once('exit', done));
    this.child.kill('SIGKILL');
    await gone;
    this.launch();
    await this.answers();
  }

  /** The sample data starts one of its instances once it serves: waits for that, and ends it. */
  async quietSamples() {
    for (let tries = 0; ; tries += 1) {
      const { rows } = await this.json('/api/instances/list?listing[page]=1');
      const running = rows.find((row) => row.state === 'running' && row.job === null);
      if (running) {
        await this.act('/api/instances/stop', { instance: running.id, force: 'true' });
        return;
      }
      if (tries > 600) throw new Error(`no sample instance runs: ${JSON.stringify(rows)}`);
      await sleep(100);
    }
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

  /** Has something done, and waits until it is. Milliseconds from the request, which `asked` dates, to its end. */
  async act(path, form) {
    const wait = patient(2);
    this.asked = Date.now();
    const begun = performance.now();
    const { job } = await this.post(path, form);
    for (;;) {
      const found = (await this.json('/api/jobs/current')).find((one) => one.id === job);
      if (found?.state === 'succeeded') return performance.now() - begun;
      if (!found || found.state === 'failed' || found.state === 'interrupted') throw new Error(`${path}: ${JSON.stringify(found)}`);
      await wait();
    }
  }

  async zones() { return (await this.json('/api/session/get')).zones; }

  /** A new empty volume of so many GiB, ready. */
  async createVolume(name, gib = 1) {
    const [zone] = await this.zones();
    await this.post('/api/volumes/create', { name, zone: zone.id, size_gib: gib });
    return this.untilRow('/api/volumes/list', name, 'ready');
  }

  /** A new instance from the sample template, in the first zone, stopped. */
  async createInstance(name, offering = 0) {
    const [zone] = await this.zones();
    const { rows: [template] } = await this.json('/api/templates/list?listing[page]=1');
    await this.act('/api/instances/create', { name, template: template.id, zone: zone.id, offering });
    return this.untilRow('/api/instances/list', name, 'stopped');
  }

  /** The row of this name on the list's first page, once it has one of these states. */
  async untilRow(list, name, ...states) {
    const wait = patient(5);
    for (;;) {
      const row = (await this.json(`${list}?listing[page]=1`)).rows.find((one) => one.name === name);
      if (states.includes(row?.state)) return row;
      if (row?.state === 'failed') throw new Error(`${name}: ${JSON.stringify(row)}`);
      await wait();
    }
  }

  /** Waits until nothing is done to this row any more. */
  async quiet(list, name) {
    const wait = patient(5);
    while ((await this.json(`${list}?listing[page]=1`)).rows.find((one) => one.name === name)?.job) await wait();
  }

  /** A recovery point of the instance, made; with `took`, milliseconds from the request to the job's end. */
  async createPoint(instance, name, more = {}) {
    const took = await this.act('/api/points/create', { instance: instance.id, name, ...more });
    const { points } = await this.json(`/api/points/list?instance=${instance.id}`);
    const { id } = points.find((row) => row.name === name);
    return { ...(await this.json(`/api/points/get?instance=${instance.id}&point=${id}`)), took };
  }

  /** Brings the instance back to the point. Milliseconds from the request to the job's end. */
  async rollBack(point, more = {}) {
    const plan = await this.json(`/api/points/rollback-plan?point=${point.id}`);
    if (plan.refused) throw new Error(`rolling back: ${JSON.stringify(plan.refused)}`);
    return this.act('/api/points/rollback', { point: point.id, seal: plan.seal, safety: 'true', ...more });
  }

  /** The process of this instance, and its arguments. */
  qemu(instance) {
    const folder = realpathSync(join(this.data, 'instances', instance.id));
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      try {
        if (readlinkSync(`/proc/${pid}/cwd`) !== folder || !readlinkSync(`/proc/${pid}/exe`).includes('qemu-system')) continue;
        const [program, ...args] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
        return { pid: Number(pid), program, args, folder };
      } catch { /* it ended meanwhile, or is not ours to look at */ }
    }
    throw new Error(`${instance.name} has no process`);
  }

  /** The address of a volume's bytes, of whichever zone has it. */
  uri(volume) {
    const folder = join(this.data, 'run');
    const sockets = readdirSync(folder).filter((name) => name.endsWith('.sock'));
    const found = sockets.map((name) => `nbd+unix:///${volume}?socket=${join(folder, name)}`)
      .find((one) => spawnSync('nbdinfo', ['--size', one], { stdio: 'ignore' }).status === 0);
    if (!found) throw new Error('no zone offers the volume');
    return found;
  }

  /** Resident memory in KiB: all of it, what is not a mapped file, and the most it ever was since `forgetPeak`. */
  memory() {
    const status = readFileSync(`/proc/${this.child.pid}/status`, 'utf8');
    const kib = (name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)[1]);
    return { all: kib('VmRSS'), own: kib('RssAnon'), peak: kib('VmHWM') };
  }

  forgetPeak() { writeFileSync(`/proc/${this.child.pid}/clear_refs`, '5'); }

  /** Starts again what `stop` has ended, on the same folder and port. */
  async resume() {
    const end = () => this.kill();
    process.once('exit', end);
    this.forget = () => process.removeListener('exit', end);
    this.launch();
    await this.answers();
    await this.signIn();
  }

  async stop() {
    this.forget();
    const gone = new Promise((done) => this.child.once('exit', done));
    if (this.child.exitCode !== null) return;
    this.child.kill('SIGTERM');
    await gone;
  }

  /** The last resort, where the program itself ends: no guest may outlive it. */
  kill() {
    this.child.kill('SIGKILL');
    for (const folder of readdirSync(join(this.data, 'instances'), { withFileTypes: true })) {
      try { process.kill(this.qemu({ id: folder.name }).pid, 'SIGKILL'); } catch { /* none ran */ }
    }
  }
}
