// ./dev soak [--minutes N]: one server, and a real object store of three nodes, of which one is killed during each save;
// every third save the server is killed as well. What was written is kept beside it as a hash, and what comes back must
// have it. Ends with 1 at the first byte that differs, at a task that ends otherwise than it should, and at an object store
// that is not whole at the end.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { randomInt } from 'node:crypto';
import { MIB, progress, run, scattered, sleep } from '../bench/tools.mjs';
import { Server } from '../bench/server.mjs';
import { Garage } from './garage.mjs';

const [binary, site, garageBinary, minutes] = process.argv.slice(2);
if (!minutes) throw new Error('usage: soak.mjs SERVER SITE GARAGE MINUTES');

const GIB_OF_VOLUME = 1;
/** Pieces of 64 KiB written anew before each save. */
const PIECES = 400;
/** Snapshots that are kept at one time. */
const KEPT = 6;
/** How long a node stays away. */
const AWAY_MS = 4000;
/** Nothing that is asked for takes longer on a machine of two processors; then it is stuck. */
const STUCK_MS = 5 * 60 * 1000;

const folder = mkdtempSync(join(existsSync(dirname(site)) ? dirname(site) : tmpdir(), 'soak-'));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(130));
let whole = false;
process.once('exit', () => {
  if (whole) rmSync(folder, { recursive: true, force: true });
  else console.error(`   what is left of it is in ${folder}`);
});

const tally = { saves: 0, 'nodes killed': 0, 'servers killed': 0, 'restored and compared': 0, verified: 0, deleted: 0, prunes: 0 };
const count = (what) => { tally[what] += 1; };

const garage = await Garage.start(garageBinary, join(folder, 'garage'));
const environment = garage.environment();
const server = await Server.start(binary, site, join(folder, 'server'), { environment });
progress('three nodes and a server run');

/** Asks the server, which may be away for a moment. */
async function asked(act) {
  const until = Date.now() + STUCK_MS;
  for (;;) {
    try {
      return await act();
    } catch (error) {
      if (!(error instanceof TypeError) || Date.now() > until) throw error;
      await sleep(100);
    }
  }
}

/** The first row of a list that `fits`. */
async function until(list, what, fits) {
  const end = Date.now() + STUCK_MS;
  for (;;) {
    const { rows } = await asked(() => server.json(`${list}?page=1`));
    const row = rows.find(fits);
    if (row) return row;
    if (Date.now() > end) throw new Error(`${what}: stuck. ${JSON.stringify(rows)}`);
    await sleep(100);
  }
}

async function untilGone(list, name) {
  const end = Date.now() + STUCK_MS;
  while ((await asked(() => server.json(`${list}?page=1`))).rows.some((row) => row.name === name)) {
    if (Date.now() > end) throw new Error(`${name} does not go`);
    await sleep(100);
  }
}

const hash = (uri) => run('bash', ['-c', 'set -o pipefail; nbdcopy "$1" - | sha256sum', 'bash', uri]).split(' ')[0];

/** Random bytes at places of their own in each round; the hash of the whole volume afterwards. */
function write(volume, round) {
  const uri = server.uri(volume.id);
  const bytes = join(folder, 'bytes');
  run('dd', ['if=/dev/urandom', `of=${bytes}`, 'bs=64k', `count=${PIECES}`, 'status=none']);
  const places = scattered(PIECES, (GIB_OF_VOLUME * 1024 * MIB) / 65536, round);
  const commands = places.map((place, index) => `write -q -P ${(round + index) % 251} ${place * 65536} ${index % 2 ? 65536 : 4096}`);
  // One run that does not compress, so that there is something to send.
  commands.push(`write -q -s ${bytes} ${(round % 30) * 32 * MIB} ${PIECES * 65536}`);
  run('qemu-io', ['-f', 'raw', uri], { input: `${commands.join('\n')}\nflush\nquit\n`, stdio: ['pipe', 'pipe', 'pipe'] });
  return hash(uri);
}

/** Another process at the same bucket, which has the kit and nothing else. */
const other = join(folder, 'other');
const command = (...args) => spawnSync(binary, [...args, '--data', other], { encoding: 'utf8', timeout: STUCK_MS, env: { ...process.env, ...environment } });
function mustCommand(...args) {
  const ended = command(...args);
  if (ended.status !== 0) throw new Error(`reprise ${args.join(' ')}: ${ended.status}\n${ended.stdout}${ended.stderr}`);
  return ended.stdout;
}

function takeKit() {
  const [kit, phrase] = [join(folder, 'kit'), join(folder, 'phrase')];
  writeFileSync(phrase, 'nine words that nobody else would think of\n', { mode: 0o600 });
  run(binary, ['keys', 'export', '--to', kit, '--passphrase-file', phrase, '--data', server.data], { env: { ...process.env, ...environment } });
  mkdirSync(other);
  mustCommand('keys', 'import', kit, '--passphrase-file', phrase);
}

/** A snapshot, taken while a node goes away, and now and then the server. */
async function save(volume, round) {
  const name = `soak ${round}`;
  await garage.together();
  await asked(() => server.post('/api/volumes/take-snapshot', { volume: volume.id, name }));
  await sleep(randomInt(0, 1200));
  const node = round % garage.nodes.length;
  await garage.kill(node);
  count('nodes killed');
  if (round % 3 === 2) {
    await sleep(randomInt(0, 500));
    await server.crash();
    count('servers killed');
  }
  if (round % 2 === 1) {
    // While it saves. What it finds, it may only note down: nothing is old enough to go. The store may be away for it.
    const pruned = command('archive', 'prune');
    if (pruned.status !== 0 && node !== 0) throw new Error(`prune: ${pruned.stdout}${pruned.stderr}`);
    count('prunes');
  }
  await sleep(AWAY_MS);
  garage.launch(node);
  const row = await until('/api/snapshots/list', name, (one) => {
    if (one.name !== name) return false;
    if (one.state === 'failed' || one.job?.state === 'failed') throw new Error(`${name}: ${JSON.stringify(one)}`);
    return one.state === 'saved' || one.state === 'verified';
  });
  count('saves');
  return row;
}

/** Into the other zone, read to its end while it is still being fetched, compared, deleted. */
async function restoreAndCompare(snapshot, expected) {
  const [, there] = await asked(() => server.zones());
  const name = `back ${snapshot.name}`;
  await asked(() => server.post('/api/snapshots/to-volume', { snapshot: snapshot.id, zone: there.id, name }));
  const volume = await until('/api/volumes/list', name, (row) => row.name === name && row.state === 'ready');
  const found = hash(server.uri(volume.id));
  if (found !== expected) throw new Error(`${snapshot.name} came back as ${found}, it was ${expected}`);
  await until('/api/volumes/list', name, (row) => row.name === name && row.job === null);
  await asked(() => server.post('/api/volumes/delete', { volume: volume.id }));
  await untilGone('/api/volumes/list', name);
  count('restored and compared');
}

takeKit();
const volume = await asked(() => server.createVolume('soak', GIB_OF_VOLUME));
const end = Date.now() + Number(minutes) * 60 * 1000;
const kept = [];
for (let round = 1; round === 1 || Date.now() < end; round += 1) {
  const expected = write(volume, round);
  kept.push({ row: await save(volume, round), expected });
  const one = kept[randomInt(0, kept.length)];
  if (round % 2 === 0) {
    await asked(() => server.post('/api/snapshots/verify', { snapshot: one.row.id }));
    await until('/api/snapshots/list', one.row.name, (row) => row.id === one.row.id && row.state === 'verified' && row.job === null);
    count('verified');
  } else {
    await restoreAndCompare(one.row, one.expected);
  }
  if (kept.length > KEPT) {
    const [gone] = kept.splice(randomInt(0, kept.length), 1);
    await asked(() => server.post('/api/snapshots/delete', { snapshot: gone.row.id }));
    await untilGone('/api/snapshots/list', gone.row.name);
    count('deleted');
  }
  progress(`round ${round}: ${Object.entries(tally).map(([what, times]) => `${times} ${what}`).join(', ')}`);
}

await server.stop();
progress('the server has stopped: from the bucket and the kit alone');
mustCommand('archive', 'check', '--deep');
for (const { row, expected } of kept) {
  const file = join(folder, 'restored.raw');
  mustCommand('archive', 'restore', row.id, '--to', file);
  const found = run('sha256sum', [file]).split(' ')[0];
  if (found !== expected) throw new Error(`${row.name} was restored as ${found}, it was ${expected}`);
  rmSync(file);
}
garage.stop();
whole = true;
console.log(`Object store whole, ${kept.length} snapshots restored from bucket and kit. ${Object.entries(tally).map(([what, times]) => `${times} ${what}`).join(', ')}.`);
process.exit(0);
