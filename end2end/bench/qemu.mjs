// A QEMU of our own as the peer: the very machine that Reprise starts, on disks that QEMU itself looks after.

import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Serial } from './guest.mjs';
import { sleep } from './tools.mjs';

/**
 * The arguments of a machine that Reprise started, with other disks: `disks` are the block nodes in order. What it listens
 * on has relative names and is made in the folder it runs in.
 */
export function sameMachine(args, disks) {
  const out = [];
  let next = 0;
  for (let at = 0; at < args.length; at += 1) {
    // What Reprise needs for itself: its fence, and to be handed a memory.
    if (args[at] === '-incoming' || (args[at] === '-drive' && /\bid=fence\b/.test(args[at + 1]))) {
      at += 1;
    } else if (args[at] === '-blockdev') {
      at += 1;
      const node = JSON.parse(args[at]);
      const { file, format = 'qcow2' } = disks[next];
      out.push('-blockdev', JSON.stringify({
        driver: format, 'node-name': node['node-name'], discard: 'unmap', file: { driver: 'file', filename: file, discard: 'unmap' },
      }));
      next += 1;
    } else out.push(args[at]);
  }
  if (next !== disks.length) throw new Error(`the machine has ${next} disks, not ${disks.length}`);
  return out;
}

export class Qemu {
  /** Started, answering, and with its guest running: milliseconds that took in `took`. `more` are further arguments. */
  static async start(program, args, folder, { more = [], go = true } = {}) {
    mkdirSync(folder, { recursive: true });
    const qemu = new Qemu();
    qemu.folder = folder;
    qemu.serial = new Serial(join(folder, 'serial.log'));
    qemu.events = [];
    qemu.waiting = [];
    const begun = performance.now();
    qemu.begun = begun;
    qemu.child = spawn(program, [...args, ...more], { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
    let words = '';
    qemu.child.stderr.on('data', (piece) => { words += piece; });
    qemu.gone = new Promise((done) => qemu.child.once('exit', done));
    qemu.end = () => qemu.child.kill('SIGKILL');
    process.once('exit', qemu.end);
    while (!(qemu.socket = await opened(join(folder, 'qmp.sock')))) {
      if (qemu.child.exitCode !== null) throw new Error(`QEMU did not start: ${words}`);
      if (performance.now() - begun > 60_000) throw new Error('QEMU does not answer');
      await sleep(1);
    }
    qemu.listen();
    await qemu.ask('qmp_capabilities');
    qemu.answered = performance.now() - begun;
    if (go) await qemu.go();
    qemu.took = performance.now() - begun;
    return qemu;
  }

  async go() {
    await this.ask('cont');
    const { status } = await this.ask('query-status');
    if (status !== 'running') throw new Error(`the guest is ${status}`);
  }

  listen() {
    let rest = '';
    this.socket.on('data', (piece) => {
      rest += piece;
      const lines = rest.split('\n');
      rest = lines.pop();
      for (const line of lines.filter((one) => one.trim())) {
        const said = JSON.parse(line);
        if (said.event) this.events.push({ ...said, seen: performance.now() });
        else if (!said.QMP) this.waiting.shift()?.(said);
      }
    });
    this.socket.on('error', () => {});
  }

  async ask(execute, args) {
    const answer = new Promise((done) => this.waiting.push(done));
    this.socket.write(`${JSON.stringify({ execute, arguments: args })}\n`);
    const said = await Promise.race([answer, this.gone.then(() => ({ error: { desc: 'QEMU ended' } }))]);
    if (said.error) throw new Error(`${execute}: ${said.error.desc}`);
    return said.return;
  }

  /** The first event of this name that came after so many of all. */
  async event(name, after = 0, seconds = 120) {
    const end = Date.now() + seconds * 1000;
    for (;;) {
      const found = this.events.slice(after).find((one) => one.event === name);
      if (found) return found;
      if (Date.now() > end || this.child.exitCode !== null) throw new Error(`no ${name}: ${JSON.stringify(this.events.slice(after))}`);
      await sleep(1);
    }
  }

  async stop() {
    process.removeListener('exit', this.end);
    this.child.kill('SIGKILL');
    await this.gone;
    this.socket.destroy();
  }
}

const opened = (path) => new Promise((done) => {
  const socket = connect(path);
  socket.once('connect', () => done(socket));
  socket.once('error', () => { socket.destroy(); done(null); });
});
