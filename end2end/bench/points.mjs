// Recovery points beside what QEMU does by itself with qcow2: for how long a guest that writes is held up, what deleting a
// point in the middle costs, and how soon a guest runs that was brought back.
//
// Both guests are the same machine with the same image, without a guest agent; ours has its disk over NBD, the peer's is a
// qcow2 file with the same cache mode. Only one of them runs at a time: two would measure each other.

import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { guestImage, missingForGuests, Serial } from './guest.mjs';
import { Qemu, sameMachine } from './qemu.mjs';
import { Server } from './server.mjs';
import { io, kept, median, MIB, progress, run, scattered, shown, sleep, times, writePieces } from './tools.mjs';

const WRITERS = 4;
const SETTLES = 3000;

export async function points(bench) {
  const missing = missingForGuests();
  if (missing) {
    bench.print(`Recovery points: not measured, ${missing}.`);
    bench.print();
    return;
  }
  await pauses(bench);
  await deletions(bench);
  await returns(bench);
}

/** The server with a guest's image, an instance made from it, and the arguments of its machine. */
async function prepare(bench, name, image) {
  const folder = join(bench.folder, name);
  const server = await Server.start(bench.binary, bench.site, folder, { guest: image });
  const instance = await server.createInstance(name);
  return { server, instance, folder };
}

const start = (server, instance) => server.act('/api/instances/start', { instance: instance.id });
const halt = (server, instance) => server.act('/api/instances/stop', { instance: instance.id, force: 'true' });
const serialOf = (server, instance) => new Serial(join(server.data, 'instances', instance.id, 'serial.log'));

function overlay(file, below) {
  run('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', below, '-F', 'qcow2', file]);
}

/** A qcow2 file with an image's content. */
function imported(image, file) {
  run('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', image, file]);
  return file;
}

// ---- a guest that writes all the time

/** What the guest does; its own writers measure as well as write. */
const LOADS = [
  ['a guest with 4 writers of 4 KiB, one write after the other, past its page cache', ''],
  ['the same, and 16 MiB written through the page cache and synced, again and again', 'reprise.load'],
];
/** Each look at the guest lasts so long: a longer one would see longer waits by chance alone. */
const LOOK = 1500;

async function pauses(bench) {
  bench.print('How long a guest’s writes stand still for a point of its disk, without a guest agent. *Told*: by Reprise with the point; of QEMU, from the command to its answer, in which it holds the disk’s requests. *Seen*: the longest that any write took by the guest’s own clock, within 1.5 s about it. In milliseconds:');
  bench.print();
  bench.print('| Load | What | Told | Reprise beside it | Seen | Reprise beside it | Seen with no point taken |');
  bench.print('|---|---|---|---|---|---|---|');
  for (const [load, kernel] of LOADS) {
    const { ours, theirs } = await pausesUnder(bench, kernel);
    bench.print(`| ${load} | Reprise, recovery point | ${shown(ours.told, 3)} | | ${shown(ours.seen, 1)} | | ${shown(ours.without, 1)} |`);
    bench.print(`| | QEMU, blockdev-snapshot-sync | ${shown(theirs.told, 1)} | ${times(ours.told, theirs.told)} | ${shown(theirs.seen, 1)} | ${times(ours.seen, theirs.seen)} | ${shown(theirs.without, 1)} |`);
  }
  bench.print();
}

async function pausesUnder(bench, kernel) {
  const takes = 3;
  const name = `pause${kernel}`;
  const image = guestImage(bench.folder, name, { probe: `hold /data/probe ${WRITERS}`, kernel });
  const { server, instance, folder } = await prepare(bench, name, image);
  const [ours, theirs] = [0, 1].map(() => ({ told: [], seen: [], without: [] }));
  // Turns: a guest of one, then of the other, so that what else the machine does falls on both.
  const turn = async (serial, own, point) => {
    await serial.find(/held write=[^\n]*\n/, serial.end());
    await sleep(SETTLES);
    for (let n = 0; n < takes; n += 1) {
      own.without.push((await serial.during(() => sleep(LOOK))).write);
      const { gave, write } = await serial.during(async () => (await Promise.all([point(n), sleep(LOOK)]))[0]);
      own.told.push(gave);
      own.seen.push(write);
    }
  };
  try {
    for (let round = 0; round < bench.rounds; round += 1) {
      await start(server, instance);
      const machine = server.qemu(instance);
      await turn(serialOf(server, instance), ours, async (n) => (await server.createPoint(instance, `p-${round}-${n}`)).stood_still / 1000);
      await halt(server, instance);

      const peer = join(folder, `peer-${round}`);
      mkdirSync(peer);
      const base = imported(image, join(peer, 'base.qcow2'));
      const qemu = await Qemu.start(machine.program, sameMachine(machine.args, [{ file: base }]), peer);
      try {
        await turn(qemu.serial, theirs, async (n) => {
          const begun = performance.now();
          await qemu.ask('blockdev-snapshot-sync', {
            'node-name': n === 0 ? 'disk0' : `over${n - 1}`,
            'snapshot-file': join(peer, `over${n}.qcow2`), 'snapshot-node-name': `over${n}`, format: 'qcow2',
          });
          return performance.now() - begun;
        });
      } finally {
        await qemu.stop();
        rmSync(peer, { recursive: true });
      }
      const words = ({ told, seen }) => `${told.slice(-takes).map((ms) => ms.toFixed(2)).join(' ')} (seen ${seen.slice(-takes).map((ms) => ms.toFixed(0)).join(' ')})`;
      progress(`pause ${kernel}, round ${round + 1}: Reprise ${words(ours)}, QEMU ${words(theirs)} ms`);
    }
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
  return { ours, theirs };
}

// ---- deleting a point that has others above and below

const CHAIN_MIB = 128;

async function deletions(bench) {
  const image = guestImage(bench.folder, 'quiet');
  const { server, instance, folder } = await prepare(bench, 'chain', image);
  const peer = join(folder, 'peer');
  const pool = join(server.data, 'zones');
  const long = bench.rounds * 2 + 1;
  const pieces = (of) => scattered(CHAIN_MIB * 16, 1024 * 16, of).map((piece) => [piece, (of * 31) % 251 + 1]);
  const seen = { Reprise: [], 'block-commit': [] };
  let qemu;
  try {
    const volume = await server.createVolume('chain', 1);
    await server.post('/api/instances/attach', { instance: instance.id, volume: volume.id });
    const uri = server.uri(volume.id);
    mkdirSync(peer);
    const layer = (n) => join(peer, `d${n}.qcow2`);
    run('qemu-img', ['create', '-q', '-f', 'qcow2', layer(0), '1G']);
    const made = [];
    for (let n = 0; n < long; n += 1) {
      writePieces(uri, 'raw', pieces(n + 1));
      made.push(await server.createPoint(instance, `c-${n}`));
      if (n > 0) overlay(layer(n), layer(n - 1));
      writePieces(layer(n), 'qcow2', pieces(n + 1));
    }
    progress(`two chains of ${long}, ${CHAIN_MIB} MiB each`);
    await start(server, instance);
    const machine = server.qemu(instance);
    // One guest at a time computes; ours waits at its first tick meanwhile.
    await halt(server, instance);
    run('sync', []);
    for (let n = 1; n < long; n += 2) {
      await start(server, instance);
      await sleep(SETTLES);
      seen.Reprise.push(await costs(server.child.pid, pool, async () => {
        const took = await server.act('/api/points/delete', { point: made[n].id });
        return { took, until: () => settled(pool) };
      }));
      await halt(server, instance);
    }
    const root = imported(image, join(peer, 'root.qcow2'));
    overlay(layer(long), layer(long - 1));
    qemu = await Qemu.start(machine.program, sameMachine(machine.args, [{ file: root }, { file: layer(long) }]), peer);
    await sleep(SETTLES);
    for (let n = 1; n < long; n += 2) {
      seen['block-commit'].push(await costs(qemu.child.pid, peer, async () => {
        const after = qemu.events.length;
        const begun = performance.now();
        await qemu.ask('block-commit', { 'job-id': `c${n}`, device: 'disk1', top: layer(n), base: layer(n - 1) });
        const done = await qemu.event('BLOCK_JOB_COMPLETED', after);
        if (done.data.error) throw new Error(`block-commit: ${done.data.error}`);
        const took = done.seen - begun;
        rmSync(layer(n));
        return { took };
      }));
    }
  } finally {
    await qemu?.stop();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
  const column = (name, what) => seen[name].map((one) => one[what]);
  bench.print(`Deleting a point in the middle of a chain of ${long}, each with ${CHAIN_MIB} MiB in pieces of 64 KiB all over a disk of 1 GiB, the guest running; median of ${seen.Reprise.length}:`);
  bench.print();
  bench.print('| What | Done after, ms | Reprise beside it | Space given back after, ms | Given back, MiB | Read by the process, MiB | Written by it, MiB |');
  bench.print('|---|---|---|---|---|---|---|');
  for (const name of Object.keys(seen)) {
    const mib = (what) => shown(column(name, what).map((bytes) => bytes / MIB), 1);
    bench.print(`| ${name === 'Reprise' ? name : `QEMU, ${name}`} | ${shown(column(name, 'took'), 1)} | ${name === 'Reprise' ? '' : times(column('Reprise', 'took'), column(name, 'took'))} | ${shown(column(name, 'freed'), 0)} | ${mib('gave')} | ${mib('read')} | ${mib('written')} |`);
  }
  bench.print();
}

/** What an act costs the process, and what it gives back on the disk. */
async function costs(pid, folder, act) {
  const [before, room, begun] = [io(pid), kept(folder), performance.now()];
  const { took, until } = await act();
  const freed = until ? (await until()) - begun : took;
  const after = io(pid);
  return { took, freed, read: after.read - before.read, written: after.written - before.written, gave: (room - kept(folder)) * MIB };
}

/** When the folder last became smaller: space goes in the background, and a second without change is its end. */
async function settled(folder) {
  let [least, since] = [Infinity, performance.now()];
  while (performance.now() - since < 1000) {
    const now = kept(folder);
    // A running guest writes a little all the time; less by a whole MiB is what counts.
    if (now < least - 1) [least, since] = [now, performance.now()];
    await sleep(10);
  }
  return since;
}

// ---- bringing a guest back

async function returns(bench) {
  const image = guestImage(bench.folder, 'quiet');
  const { server, instance, folder } = await prepare(bench, 'return', image);
  const peer = join(folder, 'peer');
  const seen = { runs: [], done: [], own: [], answered: [] };
  try {
    await start(server, instance);
    const { program, args } = server.qemu(instance);
    const point = await server.createPoint(instance, 'back');
    mkdirSync(peer);
    const base = imported(image, join(peer, 'base.qcow2'));
    for (let n = 0; n < bench.rounds * 2 + 1; n += 1) {
      await sleep(1000);
      seen.done.push(await server.rollBack(point));
      const { started } = await server.json(`/api/instances/get?instance=${instance.id}`);
      seen.runs.push(started.unix_ms - server.asked);
      // The other starts while ours boots; and the reverse in the next turn.
      const top = join(peer, `top${n}.qcow2`);
      overlay(top, base);
      await sleep(1000);
      const qemu = await Qemu.start(program, sameMachine(args, [{ file: top }]), join(peer, `run${n}`));
      seen.own.push(qemu.took);
      seen.answered.push(qemu.answered);
      await sleep(1000);
      await qemu.stop();
      progress(`return ${n + 1}: runs ${seen.runs.at(-1)} ms after the request, job ${seen.done.at(-1).toFixed(0)} ms; QEMU by itself ${seen.own.at(-1).toFixed(0)} ms`);
    }
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
  bench.print(`From *Roll back* (with a safety point, the guest running) until QEMU runs the guest again; ${seen.own.length} of each, in milliseconds:`);
  bench.print();
  bench.print('| What | Milliseconds | Beside QEMU’s own start |');
  bench.print('|---|---|---|');
  bench.print(`| QEMU’s own start of the same machine on qcow2: process begun until the guest runs | ${shown(seen.own, 0)} | |`);
  const beside = (of) => `${times(of, seen.own)}, ${(median(of) - median(seen.own)).toFixed(0)} ms more`;
  bench.print(`| Reprise: request until the guest runs, as the catalog has it | ${shown(seen.runs, 0)} | ${beside(seen.runs)} |`);
  bench.print(`| Reprise: request until the job is over | ${shown(seen.done, 0)} | ${beside(seen.done)} |`);
  bench.print();
}
