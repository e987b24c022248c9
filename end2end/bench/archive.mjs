// The region's object store beside backup programs: a disk image as one would have it, saved, changed a little, saved
// again, saved unchanged, and restored. The peers encrypt, and have their repository on the same file system.
//
// Every program finds the image in the page cache, and the disk with nothing left to write. Each round has an object store
// and repositories of its own, so that nothing of an earlier one is found there.

import { closeSync, existsSync, lstatSync, mkdirSync, openSync, readdirSync, rmSync, statfsSync, utimesSync, writeFileSync, writeSync } from 'node:fs';
import { createHash, randomBytes, randomFillSync } from 'node:crypto';
import { loadavg } from 'node:os';
import { dirname, join } from 'node:path';
import { Garage } from '../soak/garage.mjs';
import { Server } from './server.mjs';
import { have, MIB, processor, progress, run, scattered, shown, times, worked } from './tools.mjs';

const GIB = 1024 * MIB;
const IMAGE = 4 * GIB;
const USED = 2.2 * GIB;
/** One hundredth of the image is changed, in pieces of 64 KiB. */
const CHANGES = Math.round(IMAGE / 100 / 65536);

const seconds = (act) => {
  run('sync', []);
  const begun = performance.now();
  const cpu = act();
  return { took: (performance.now() - begun) / 1000, cpu };
};
const stored = (folder) => Number(run('du', ['-sb', folder]).split('\t')[0]) / MIB;

/** The peers: how each is made ready, saves and restores. Those that are not installed are left out. */
function peers(folder, name) {
  const home = join(folder, 'home');
  const restic = { cwd: folder, env: { ...process.env, RESTIC_REPOSITORY: join(folder, 'restic'), RESTIC_PASSWORD: 'bench', RESTIC_CACHE_DIR: join(home, 'restic') } };
  const found = {};
  if (have('restic')) {
    found.restic = {
      repository: join(folder, 'restic'),
      init: () => run('restic', ['init', '-q'], restic),
      save: () => worked('restic', ['backup', '-q', name], restic),
      restore: (to) => worked('restic', ['restore', '-q', 'latest', '--target', to], restic),
    };
  }
  const borg = (title, chunks) => {
    const repository = join(folder, title.replace(/\W+/g, '-'));
    const options = { cwd: folder, env: { ...process.env, BORG_PASSPHRASE: 'bench', BORG_BASE_DIR: join(home, title.replace(/\W+/g, '-')) } };
    let number = 0;
    found[title] = {
      repository,
      init: () => run('borg', ['init', '-e', 'repokey-blake2', repository], options),
      save: () => worked('borg', ['create', ...chunks, `${repository}::${number += 1}`, name], options),
      restore: (to) => {
        mkdirSync(to, { recursive: true });
        return worked('borg', ['extract', '--sparse', `${repository}::${number}`], { ...options, cwd: to });
      },
    };
  };
  if (have('borg')) {
    borg('borg', []);
    borg('borg, chunks of 64 KiB', ['--chunker-params', 'fixed,65536']);
  }
  if (have('bupstash')) {
    const repository = join(folder, 'bupstash');
    const options = { cwd: folder, env: { ...process.env, BUPSTASH_REPOSITORY: repository, BUPSTASH_KEY: join(home, 'bupstash.key'), XDG_CACHE_HOME: join(home, 'bupstash') } };
    let number = 0;
    found.bupstash = {
      repository,
      init: () => {
        mkdirSync(home, { recursive: true });
        run('bupstash', ['init'], options);
        run('bupstash', ['new-key', '-o', options.env.BUPSTASH_KEY], options);
      },
      save: () => worked('bupstash', ['put', '-q', `number=${number += 1}`, name], options),
      // It gives a stream: the zeros in it become holes, as with the others.
      restore: (to) => {
        mkdirSync(to, { recursive: true });
        return worked('sh', ['-c', `bupstash get -q "number=$1" | dd of="$2" bs=64K iflag=fullblock conv=sparse status=none && truncate -s ${IMAGE} "$2"`, 'sh', `${number}`, join(to, name)], options);
      },
    };
  }
  return found;
}

/** An ext4 file system of 4 GiB with some 2.2 GiB of this machine's own programs and libraries, made without mounting. */
function fileSystem(image) {
  const files = [];
  const walk = (folder) => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) walk(path);
      else if (entry.isFile()) files.push([path, lstatSync(path).size]);
    }
  };
  walk('/usr');
  const all = files.reduce((sum, [, size]) => sum + size, 0);
  // A fair sample where there is more: by a hash of the name, so that it is the same one each time.
  const part = (path) => createHash('md5').update(path).digest().readUInt32BE() / 2 ** 32;
  const chosen = files.filter(([path]) => part(path) < USED / all);
  const [list, tree] = [`${image}.list`, `${image}.tree`];
  writeFileSync(list, `${chosen.map(([path]) => path.slice(1)).join('\n')}\n`);
  mkdirSync(tree);
  run('sh', ['-c', 'tar -C / -c --no-recursion -T "$1" -f - | tar -C "$2" -xf -', 'sh', list, tree]);
  rmSync(image, { force: true });
  run('mke2fs', ['-q', '-t', 'ext4', '-b', '4096', '-E', 'root_owner=0:0', '-d', tree, image, '4G'], { env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` } });
  rmSync(tree, { recursive: true });
  rmSync(list);
}

/** The same random bytes over the same pieces of the image and of the export. */
function change(image, uri, folder, round) {
  const bytes = randomBytes(CHANGES * 65536);
  const places = scattered(CHANGES, IMAGE / 65536, round);
  const file = openSync(image, 'r+');
  const source = join(folder, 'changes');
  mkdirSync(source);
  const commands = places.map((place, index) => {
    const piece = bytes.subarray(index * 65536, (index + 1) * 65536);
    writeSync(file, piece, 0, piece.length, place * 65536);
    writeFileSync(join(source, `${index}`), piece);
    return `write -q -s ${join(source, `${index}`)} ${place * 65536} 65536`;
  });
  closeSync(file);
  run('qemu-io', ['-f', 'raw', uri], { input: `${commands.join('\n')}\nflush\nquit\n`, stdio: ['pipe', 'pipe', 'pipe'] });
  rmSync(source, { recursive: true });
}

async function saveOurs(server, volume, name) {
  run('sync', []);
  const cpu = processor(server.child.pid);
  const begun = performance.now();
  await server.post('/api/volumes/take-snapshot', { volume: volume.id, name });
  const row = await server.untilRow('/api/snapshots/list', name, 'saved', 'verified');
  return { row, took: (performance.now() - begun) / 1000, cpu: processor(server.child.pid) - cpu };
}

/** Reads everything into the page cache. */
const warm = (file) => run('sh', ['-c', 'cat "$1" >/dev/null', 'sh', file]);

export async function archive(bench) {
  const missing = ['mke2fs', 'nbdcopy', 'qemu-io', 'tar'].filter((name) => !have(name));
  if (missing.length > 0) {
    bench.print(`The archive: not measured, ${missing.join(', ')} missing.`);
    bench.print();
    return;
  }
  const absent = [['restic', 'the package restic'], ['borg', 'the package borgbackup'], ['bupstash', 'cargo install --locked bupstash, with the package libsodium-dev']].filter(([name]) => !have(name));
  for (const [name, from] of absent) progress(`${name} is not measured: it is missing (${from})`);
  // Each round takes minutes.
  const rounds = Math.min(bench.rounds, 3);
  const pristine = join(bench.folder, 'pristine.raw');
  progress('making a file system of this machine’s own files');
  fileSystem(pristine);
  const seen = {};
  for (let round = 1; round <= rounds; round += 1) await once(bench, join(bench.folder, `round-${round}`), pristine, round, seen);
  table(bench, seen, rounds);
  if (absent.length > 0) bench.print(`Not installed, and so not beside it: ${absent.map(([name]) => name).join(', ')}.`);
  bench.print(`Load of the machine when this was measured (1, 5 and 15 minutes, all programs): ${loadavg().map((load) => load.toFixed(1)).join(', ')}.`);
  bench.print();
  await bucket(bench, pristine);
  rmSync(pristine);
  await unchanged(bench);
}

async function once(bench, folder, pristine, round, seen) {
  mkdirSync(folder);
  const name = 'image.raw';
  const image = join(folder, name);
  const note = (program, what, value) => ((seen[program] ??= {})[what] ??= []).push(value);
  run('cp', ['--sparse=always', pristine, image]);
  const others = peers(folder, name);
  for (const peer of Object.values(others)) peer.init();
  const server = await Server.start(bench.binary, bench.site, join(folder, 'server'));
  try {
    const store = join(server.data, 'archive');
    const volume = await server.createVolume('disk', IMAGE / GIB);
    const uri = server.uri(volume.id);
    run('nbdcopy', ['--destination-is-zero', '--flush', image, uri]);
    server.forgetPeak();
    const saves = async (what) => {
      warm(image);
      const before = stored(store);
      const { row, took, cpu } = await saveOurs(server, volume, what);
      note('Reprise', what, took);
      note('Reprise', `${what} cpu`, cpu);
      note('Reprise', `${what} added`, stored(store) - before);
      for (const [program, peer] of Object.entries(others)) {
        const room = stored(peer.repository);
        const its = seconds(() => peer.save());
        note(program, what, its.took);
        note(program, `${what} cpu`, its.cpu);
        note(program, `${what} added`, stored(peer.repository) - room);
      }
      return row;
    };
    await saves('first');
    note('Reprise', 'stored', stored(store));
    for (const [program, peer] of Object.entries(others)) note(program, 'stored', stored(peer.repository));
    change(image, uri, folder, round);
    const second = await saves('second');
    // Programs that look at files would otherwise not even read it.
    utimesSync(image, new Date(), new Date());
    await saves('unchanged');
    note('Reprise', 'stored after all', stored(store));
    const zones = await server.zones();
    run('sync', []);
    const cpu = processor(server.child.pid);
    const begun = performance.now();
    await server.post('/api/snapshots/to-volume', { snapshot: second.id, zone: zones.at(-1).id, name: 'restored' });
    const restored = await server.untilRow('/api/volumes/list', 'restored', 'ready');
    run('qemu-io', ['-r', '-f', 'raw', '-c', `read -q ${IMAGE / 2} 4096`, server.uri(restored.id)]);
    note('Reprise', 'first byte', (performance.now() - begun) / 1000);
    // It can be used; it is restored when nothing of it is fetched any more, and then it is on the disk. What the others
    // wrote is there when they are told to sync.
    await server.quiet('/api/volumes/list', 'restored');
    note('Reprise', 'restore', (performance.now() - begun) / 1000);
    note('Reprise', 'restore cpu', processor(server.child.pid) - cpu);
    note('Reprise', 'on disk', seen.Reprise.restore.at(-1));
    note('Reprise', 'peak', server.memory().peak / 1024);
    const back = join(folder, 'back.raw');
    run('nbdcopy', [server.uri(restored.id), back]);
    run('cmp', [back, image]);
    rmSync(back);
    for (const [program, peer] of Object.entries(others)) {
      note(program, 'stored after all', stored(peer.repository));
      const to = join(folder, 'restored');
      const { took, cpu } = seconds(() => peer.restore(to));
      note(program, 'restore', took);
      note(program, 'restore cpu', cpu);
      const begun = performance.now();
      run('sync', []);
      note(program, 'on disk', seen[program].restore.at(-1) + (performance.now() - begun) / 1000);
      run('cmp', [join(to, name), image]);
      rmSync(to, { recursive: true });
    }
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
  const words = (figures) => ['first', 'second', 'unchanged', 'restore', 'stored'].map((what) => `${what} ${figures[what].at(-1).toFixed(2)}`).join(', ');
  progress(`round ${round}: ${Object.entries(seen).map(([program, figures]) => `${program}: ${words(figures)}`).join('; ')}`);
}

function table({ print }, seen, rounds) {
  const changed = (CHANGES * 65536) / MIB;
  for (const figures of Object.values(seen)) figures.added = figures['second added'].map((mib) => mib / changed);
  print(`Saves of an ext4 file system of 4 GiB with some 2.2 GiB of this machine’s programs and libraries; ${CHANGES} pieces of 64 KiB (${changed.toFixed(0)} MiB) overwritten at random before the second save; nothing before the third; to a folder of the same disk; median of ${rounds}, and how many times its own Reprise took. Every restored disk was compared:`);
  print();
  const programs = Object.keys(seen);
  print(`| Figure | ${programs.join(' | ')} |`);
  print(`|---|${'---|'.repeat(programs.length)}`);
  const rows = [
    ['First save, s', 'first', 2],
    ['First save, seconds of a processor', 'first cpu', 1],
    ['Stored by it, MiB', 'stored', 0],
    ['Second save, s', 'second', 2],
    ['Added by it for each changed byte', 'added', 2],
    ['Third save, nothing changed, s', 'unchanged', 2],
    ['Stored after all, MiB', 'stored after all', 0],
    ['Restore, s', 'restore', 2],
    ['Restore until it is on the disk, s', 'on disk', 2],
    ['Restore, seconds of a processor', 'restore cpu', 1],
  ];
  for (const [title, what, digits] of rows) {
    const cell = (program) => {
      const beside = program === 'Reprise' ? '' : `; ${times(seen.Reprise[what], seen[program][what])}`;
      return shown(seen[program][what], digits) + beside;
    };
    print(`| ${title} | ${programs.map(cell).join(' | ')} |`);
  }
  print();
  print(`First byte of a volume made in another zone, read from its middle: ${shown(seen.Reprise['first byte'], 2)} s after it was asked for. The most memory that the server held through all of this (VmHWM): ${shown(seen.Reprise.peak, 0)} MiB.`);
  print();
}

/** The same disk in a bucket: a node of Garage on loopback, as `./dev soak` builds it. The memory is our process's alone. */
async function bucket(bench, pristine) {
  const garage = join(dirname(dirname(bench.binary)), 'tools/bin/garage');
  if (!existsSync(garage)) {
    bench.print('The same in a bucket: not measured, there is no Garage here (./dev soak builds it).');
    bench.print();
    return;
  }
  const folder = join(bench.folder, 'bucket');
  mkdirSync(folder);
  const cluster = await Garage.start(garage, join(folder, 'garage'), 1);
  const server = await Server.start(bench.binary, bench.site, join(folder, 'server'), { environment: cluster.environment() });
  try {
    const volume = await server.createVolume('disk', IMAGE / GIB);
    run('nbdcopy', ['--destination-is-zero', '--flush', pristine, server.uri(volume.id)]);
    server.forgetPeak();
    const { row, took } = await saveOurs(server, volume, 'first');
    const saving = server.memory().peak / 1024;
    server.forgetPeak();
    const zones = await server.zones();
    const begun = performance.now();
    await server.post('/api/snapshots/to-volume', { snapshot: row.id, zone: zones.at(-1).id, name: 'restored' });
    const restored = await server.untilRow('/api/volumes/list', 'restored', 'ready');
    await server.quiet('/api/volumes/list', 'restored');
    const restoring = (performance.now() - begun) / 1000;
    const memory = server.memory().peak / 1024;
    const back = join(folder, 'back.raw');
    run('nbdcopy', [server.uri(restored.id), back]);
    run('cmp', [back, pristine]);
    bench.print(`The same disk in a bucket, one node of Garage on loopback: first save ${took.toFixed(2)} s, restore ${restoring.toFixed(2)} s, compared. The most memory that our server held (VmHWM): ${saving.toFixed(0)} MiB while it saved, ${memory.toFixed(0)} MiB while it restored.`);
    bench.print();
  } finally {
    await server.stop();
    cluster.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * A volume of 1 TiB with data in stretches all over it, saved again without a change. With REPRISE_BENCH_LARGE, a folder on
 * a file system that compresses, the data compresses too (and no two blocks are the same), so that 100 GiB of it fit.
 */
async function unchanged({ folder: here, ...bench }) {
  const large = process.env.REPRISE_BENCH_LARGE;
  const folder = large ? join(large, 'large') : join(here, 'large');
  mkdirSync(folder);
  const wanted = Number(process.env.REPRISE_BENCH_LARGE_GIB ?? 100);
  // It lies on the disk three times for a moment: as a file, in the pool, and in the object store.
  const { bavail, bsize } = statfsSync(folder);
  const gib = large ? wanted : Math.min(wanted, Math.floor((bavail * bsize) / GIB / 4));
  if (gib < 4) {
    bench.print('Saving a volume of 1 TiB unchanged: not measured, less than 16 GiB of the disk are free.');
    bench.print();
    return;
  }
  progress(`making a volume of 1 TiB with ${gib} GiB of data`);
  const file = join(folder, 'large.raw');
  const handle = openSync(file, 'w');
  const [piece, stretches] = [Buffer.alloc(16 * MIB, 'a line of a log as one would find it in many files of a disk\n'), gib * 16];
  for (let n = 0; n < stretches; n += 1) {
    const at = Math.floor((n * 1024 * 1024) / stretches) * MIB;
    for (let part = 0; part < 4; part += 1) {
      const place = at + part * piece.length;
      if (large) for (let block = 0; block < piece.length; block += 4096) piece.writeBigUInt64LE(BigInt(place + block), block);
      else randomFillSync(piece);
      writeSync(handle, piece, 0, piece.length, place);
    }
  }
  closeSync(handle);
  run('truncate', ['-s', '1T', file]);
  const server = await Server.start(bench.binary, bench.site, join(folder, 'server'));
  const taken = [];
  try {
    const volume = await server.createVolume('large', 1024);
    run('nbdcopy', ['--destination-is-zero', '--flush', file, server.uri(volume.id)]);
    rmSync(file);
    server.forgetPeak();
    const first = await saveOurs(server, volume, 'first');
    for (let n = 0; n < bench.rounds; n += 1) taken.push((await saveOurs(server, volume, `again-${n}`)).took);
    const kind = large ? 'data that compresses well, no two blocks the same,' : 'random data';
    const short = gib < 100 ? ` (not 100 GiB: ${Math.floor((bavail * bsize) / GIB)} GiB of the disk were free)` : '';
    bench.print(`A volume of 1 TiB with ${gib} GiB of ${kind} in ${stretches} stretches${short}: first save ${first.took.toFixed(1)} s; saved again unchanged ${shown(taken, 2)} s; the most memory that the server held ${(server.memory().peak / 1024).toFixed(0)} MiB.`);
    bench.print();
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
