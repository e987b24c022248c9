// ./dev bench: what Reprise costs, beside programs that do part of the same. Prints Markdown.
//
// Runs alternate between the programs and the median of an odd number of runs is told, always with the ratio: figures of
// one machine at one moment mean little alone. REPRISE_BENCH_ROUNDS sets the number of runs (5).

import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { closeSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { randomFillSync } from 'node:crypto';
import { tmpdir, cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { Server, sleep } from './server.mjs';

const [binary, site] = process.argv.slice(2);
const rounds = Number(process.env.REPRISE_BENCH_ROUNDS ?? 5);
const seconds = Number(process.env.REPRISE_BENCH_SECONDS ?? 5);
const listed = Number(process.env.REPRISE_BENCH_ROWS ?? 3000);
if (!site || rounds % 2 === 0) throw new Error('usage: bench.mjs SERVER SITE, with an odd number of rounds');

// Beside the build, not in /tmp, which may be memory.
const folder = mkdtempSync(join(existsSync(dirname(site)) ? dirname(site) : tmpdir(), 'bench-'));
const MIB = 1024 * 1024;
const lines = [];
const print = (line = '') => { lines.push(line); console.log(line); };
const progress = (text) => console.error(`   ${text}`);

const sorted = (values) => [...values].sort((a, b) => a - b);
const median = (values) => sorted(values)[(values.length - 1) / 2];
const percentile = (values, part) => sorted(values)[Math.min(values.length - 1, Math.floor(values.length * part))];
const spread = (values, digits = 0) => `${Math.min(...values).toFixed(digits)} to ${Math.max(...values).toFixed(digits)}`;
const times = (ours, theirs) => `${(ours / theirs).toFixed(2)} ×`;

const run = (command, args, options = {}) => execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 64 * MIB, ...options });

/** A disk of `mib` MiB whose first `filled` MiB hold data, half of it random and half text that compresses. */
function disk(path, mib, filled) {
  const file = openSync(path, 'w');
  const block = Buffer.alloc(MIB);
  for (let at = 0; at < filled; at += 1) {
    if (at % 2 === 0) randomFillSync(block);
    else {
      const text = Array.from({ length: 512 }, (_, line) => `${at} ${line} ${Math.random()} the quick brown fox jumps over the lazy dog\n`).join('');
      for (let place = 0; place < block.length; place += text.length) block.write(text, place);
    }
    writeSync(file, block, 0, block.length, at * MIB);
  }
  closeSync(file);
  run('truncate', ['-s', `${mib}M`, path]);
}

async function idle(server) {
  await sleep(5000);
  const { all, own } = server.memory();
  print('| What | Figure |');
  print('|---|---|');
  print(`| Idle server, resident memory | ${(all / 1024).toFixed(1)} MiB, of which ${(own / 1024).toFixed(1)} MiB are not mapped files |`);
}

/** Milliseconds from request to last byte, one request after the other on one connection. */
async function timed(server, path, requests = 200) {
  const taken = [];
  for (let n = 0; n < requests + 20; n += 1) {
    const begun = performance.now();
    await (await server.get(path)).arrayBuffer();
    if (n >= 20) taken.push(performance.now() - begun);
  }
  return `median ${percentile(taken, 0.5).toFixed(1)} ms, 95 % within ${percentile(taken, 0.95).toFixed(1)} ms`;
}

async function pages(server) {
  progress(`making ${listed} volumes`);
  const [zone] = await server.zones();
  for (let n = 0; n < listed; n += 20) {
    const some = Array.from({ length: Math.min(20, listed - n) }, (_, at) => `list-${n + at}`);
    await Promise.all(some.map((name) => server.post('/api/volumes/create', { name, zone: zone.id, size_gib: 1 })));
  }
  for (;;) {
    if ((await server.json('/api/jobs/current')).every((job) => job.state === 'succeeded')) break;
    await sleep(200);
  }
  print();
  print('| Pages | Time to the last byte, one request after the other |');
  print('|---|---|');
  const { total, pages: count } = await server.json('/api/volumes/list?page=1');
  print(`| List of volumes, ${total} rows, first page of ${count} | ${await timed(server, '/volumes')} |`);
  print(`| the same, last page | ${await timed(server, `/volumes?page=${count}`)} |`);
  print(`| the same, the rows alone | ${await timed(server, '/api/volumes/list?page=1')} |`);
  const { all, own } = server.memory();
  print(`| Resident memory after that | ${(all / 1024).toFixed(1)} MiB, of which ${(own / 1024).toFixed(1)} MiB are not mapped files |`);
}

function browserHalf() {
  for (const name of ['reprise_bg.wasm', 'reprise.js', 'reprise.css']) {
    const file = join(site, 'pkg', `${name}.br`);
    if (existsSync(file)) print(`| ${name}, brotli | ${(statSync(file).size / 1024).toFixed(1)} KiB |`);
  }
  print();
}

/** Runs fio's nbd engine on the export; operations a second. */
function fio(uri, kind) {
  const result = spawnSync('fio', [
    '--name=b', '--ioengine=nbd', `--uri=${uri}`, `--rw=${kind}`, '--bs=4k', '--iodepth=32', '--time_based',
    `--runtime=${seconds}`, '--size=1g', '--norandommap', '--randrepeat=0', '--output-format=json',
  ], { encoding: 'utf8', cwd: folder, maxBuffer: 64 * MIB });
  if (result.status !== 0) throw new Error(`fio ${kind} ${uri}: ${result.stderr}${result.stdout}`);
  const { jobs: [job] } = JSON.parse(result.stdout.slice(result.stdout.indexOf('{')));
  return (kind === 'randread' ? job.read : job.write).iops;
}

/** Starts a peer that serves `image` on a socket of its own for as long as `use` takes. */
async function served(command, args, socket, use) {
  rmSync(socket, { force: true });
  const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  const uri = `nbd+unix:///?socket=${socket}`;
  for (let tries = 0; spawnSync('nbdinfo', ['--size', uri], { stdio: 'ignore' }).status !== 0; tries += 1) {
    if (tries > 100) throw new Error(`${command} does not answer`);
    await sleep(50);
  }
  const gone = new Promise((done) => child.once('exit', done));
  try { return use(uri); } finally { child.kill('SIGTERM'); await gone; }
}

function ourUri(server, volume) {
  const uri = server.uri(volume).find((one) => spawnSync('nbdinfo', ['--size', one], { stdio: 'ignore' }).status === 0);
  if (!uri) throw new Error('no zone offers the volume');
  return uri;
}

async function blocks(server) {
  progress('preparing disks of 1 GiB, full');
  const raw = join(folder, 'nbd.raw');
  const qcow2 = join(folder, 'nbd.qcow2');
  disk(raw, 1024, 1024);
  run('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', raw, qcow2]);
  const ours = ourUri(server, (await server.createVolume('nbd')).id);
  run('nbdcopy', [raw, ours]);
  const socket = join(folder, 'peer.sock');
  const peers = {
    Reprise: (use) => use(ours),
    'nbdkit file': (use) => served('nbdkit', ['-f', '-U', socket, 'file', raw], socket, use),
    'qemu-nbd, qcow2': (use) => served('qemu-nbd', ['-t', '-f', 'qcow2', '--cache=writeback', '-k', socket, qcow2], socket, use),
  };
  const measured = {};
  for (let round = 1; round <= rounds; round += 1) {
    for (const [name, serve] of Object.entries(peers)) {
      for (const kind of ['randread', 'randwrite']) {
        const iops = await serve((uri) => fio(uri, kind));
        ((measured[name] ??= {})[kind] ??= []).push(iops);
        progress(`round ${round}: ${name}, ${kind}: ${Math.round(iops)} a second`);
      }
    }
  }
  print(`NBD, 4 KiB at random on a full disk of 1 GiB, one connection, 32 requests at once, ${seconds} s a run, median of ${rounds}:`);
  print();
  print('| Server | Reads a second (least to most) | Reprise beside it | Writes a second (least to most) | Reprise beside it |');
  print('|---|---|---|---|---|');
  const of = (name, kind) => median(measured[name][kind]);
  for (const name of Object.keys(peers)) {
    const cells = ['randread', 'randwrite'].flatMap((kind) => [
      `${Math.round(of(name, kind))} (${spread(measured[name][kind])})`,
      name === 'Reprise' ? '' : times(of('Reprise', kind), of(name, kind)),
    ]);
    print(`| ${name} | ${cells.join(' | ')} |`);
  }
  print();
}

async function save(server, volume, name) {
  const begun = performance.now();
  await server.post('/api/volumes/take-snapshot', { volume, name });
  const row = await server.untilRow('/api/snapshots/list', name, 'saved');
  return { seconds: (performance.now() - begun) / 1000, row };
}

function backup(repository, file) {
  const begun = performance.now();
  run('restic', ['backup', '--no-cache', '--quiet', file], { env: { ...process.env, RESTIC_REPOSITORY: repository, RESTIC_PASSWORD: 'bench' } });
  return (performance.now() - begun) / 1000;
}

const kept = (path) => Number(run('du', ['-s', '-B1', path]).split('\t')[0]) / MIB;

async function saves(server) {
  const raw = join(folder, 'save.raw');
  const changes = 32;
  disk(raw, 2048, 512);
  const measured = { Reprise: { first: [], second: [], size: [] }, restic: { first: [], second: [], size: [] } };
  for (let round = 1; round <= rounds; round += 1) {
    const file = join(folder, 'round.raw');
    copyFileSync(raw, file);
    // Of its own content, so that nothing of an earlier round is found in the store.
    disk(file, 2048, 512);
    const volume = await server.createVolume(`save-${round}`, 2);
    const uri = ourUri(server, volume.id);
    run('nbdcopy', ['--destination-is-zero', '--flush', file, uri]);
    const archive = join(server.data, 'archive');
    const before = kept(archive);
    const repository = join(folder, `restic-${round}`);
    run('restic', ['init', '--quiet'], { env: { ...process.env, RESTIC_REPOSITORY: repository, RESTIC_PASSWORD: 'bench' } });

    measured.Reprise.first.push((await save(server, volume.id, `first-${round}`)).seconds);
    measured.restic.first.push(backup(repository, file));

    // The same changes to both: pieces of 64 KiB all over the written part.
    const handle = openSync(file, 'r+');
    const piece = Buffer.alloc(65536);
    const commands = [];
    for (let n = 0; n < changes * 16; n += 1) {
      const offset = Math.floor((n * 512 * MIB) / (changes * 16) / 65536) * 65536;
      piece.fill((n * 7 + round) % 251);
      writeSync(handle, piece, 0, piece.length, offset);
      commands.push('-c', `write -q -P ${(n * 7 + round) % 251} ${offset} 65536`);
    }
    closeSync(handle);
    run('qemu-io', ['-f', 'raw', ...commands, '-c', 'flush', uri]);
    measured.Reprise.second.push((await save(server, volume.id, `second-${round}`)).seconds);
    measured.restic.second.push(backup(repository, file));
    measured.Reprise.size.push(kept(archive) - before);
    measured.restic.size.push(kept(repository));
    progress(`round ${round}: ${JSON.stringify(Object.fromEntries(Object.entries(measured).map(([name, m]) => [name, Object.values(m).map((v) => Number(v.at(-1).toFixed(2)))])))}`);
    rmSync(file);
    rmSync(repository, { recursive: true });
  }
  print(`Saves of a disk of 2 GiB with 512 MiB of data, half of it random; ${changes} MiB changed before the second one; to a folder; median of ${rounds}:`);
  print();
  print('| Program | First save, s (least to most) | Reprise beside it | Second save, s (least to most) | Reprise beside it | Kept after both, MiB | Reprise beside it |');
  print('|---|---|---|---|---|---|---|');
  for (const [name, figures] of Object.entries(measured)) {
    const cells = ['first', 'second', 'size'].flatMap((what) => {
      const value = median(figures[what]);
      const shown = what === 'size' ? value.toFixed(0) : `${value.toFixed(2)} (${spread(figures[what], 2)})`;
      return [shown, name === 'Reprise' ? '' : times(median(measured.Reprise[what]), value)];
    });
    print(`| ${name} | ${cells.join(' | ')} |`);
  }
}

let server;
try {
  const version = (command, args = ['--version']) => run(command, args).split('\n')[0].trim();
  print(`Measured on ${cpus().length} processors (${cpus()[0].model}), ${readFileSync('/proc/version', 'utf8').split(' ').slice(0, 3).join(' ')}.`);
  print(`Beside: ${[version('nbdkit'), version('qemu-nbd'), version('restic', ['version']), version('fio')].join('; ')}.`);
  print();
  server = await Server.start(binary, site, join(folder, 'server'));
  await idle(server);
  browserHalf();
  await blocks(server);
  await saves(server);
  await pages(server);
  mkdirSync(dirname(site), { recursive: true });
  writeFileSync(join(dirname(site), 'bench.md'), `${lines.join('\n')}\n`);
} finally {
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
}
