// Recovery points with memory beside the two ways in which QEMU itself keeps a running machine: stopping it and migrating
// it into a file, and `savevm`. Each is asked for how long the guest stood still, how long the whole took, what it keeps,
// and how soon the guest goes on after it was brought back.
//
// The guest's own clock stands while QEMU has stopped it, so the stop is measured from outside: by QEMU's own STOP and
// RESUME events, and by the longest silence of a guest that says something each 10 ms.

import { mkdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { guestImage, missingForGuests, Serial } from './guest.mjs';
import { Qemu, sameMachine } from './qemu.mjs';
import { Server } from './server.mjs';
import { kept, MIB, progress, run, shown, sleep, times } from './tools.mjs';

/** Places in the list of offerings, with their memory in MiB. */
const SIZES = [[0, 256], [1, 1024], [2, 2048]];
const FILLED = 65;

/** The longest time in which a guest said nothing, in milliseconds, while `act` ran and a moment longer. */
async function silence(serial, act) {
  let [size, last, longest, going] = [serial.end(), performance.now(), 0, true];
  const watch = (async () => {
    while (going) {
      await sleep(1);
      const now = performance.now();
      const end = serial.end();
      if (end !== size) {
        longest = Math.max(longest, now - last);
        [size, last] = [end, now];
      }
    }
  })();
  const gave = await act();
  await sleep(200);
  going = false;
  await watch;
  return { gave, longest };
}

/** The counts that the guest told, of lines that are whole. */
const counted = (text) => [...text.matchAll(/\bd=(\d+)\r?\n/g)].map((found) => Number(found[1]));

/** Waits until the guest says a count again that it has said before: it was brought back. */
async function goesOn(serial, from, most) {
  for (const end = Date.now() + 120_000; ;) {
    if (counted(serial.text(from)).some((count) => count <= most)) return;
    if (Date.now() > end) throw new Error('the guest does not go on');
    await sleep(2);
  }
}

const stamp = ({ timestamp: { seconds, microseconds } }) => seconds * 1000 + microseconds / 1000;

/** From the guest's stop to its going on, by QEMU's own clock: the longest of those since so many events. */
function stopped(qemu, after) {
  let [at, longest] = [undefined, 0];
  for (const event of qemu.events.slice(after)) {
    if (event.event === 'STOP') at = stamp(event);
    if (event.event === 'RESUME' && at !== undefined) longest = Math.max(longest, stamp(event) - at);
  }
  return longest;
}

/** Stopped, its disk given an overlay, its state written into a file, and let go on. */
async function stopAndSave(qemu, folder, note) {
  const file = join(folder, 'state');
  const after = qemu.events.length;
  const begun = performance.now();
  const { longest } = await silence(qemu.serial, async () => {
    await qemu.ask('stop');
    await qemu.ask('blockdev-snapshot-sync', { 'node-name': 'disk0', 'snapshot-file': join(folder, 'next.qcow2'), 'snapshot-node-name': 'next', format: 'qcow2' });
    await qemu.ask('migrate', { uri: `exec:cat > ${file}` });
    for (;;) {
      const { status } = await qemu.ask('query-migrate');
      if (status === 'completed') break;
      if (status === 'failed') throw new Error('the migration failed');
      await sleep(2);
    }
    await qemu.ask('cont');
    note('save', performance.now() - begun);
  });
  note('pause', stopped(qemu, after));
  note('silence', longest);
  note('stored', statSync(file).size / MIB);
  return file;
}

async function savevm(qemu, note, disk) {
  const [after, before, most] = [qemu.events.length, kept(disk), Math.max(...counted(qemu.serial.text()))];
  const begun = performance.now();
  const { longest } = await silence(qemu.serial, async () => {
    await hmp(qemu, 'savevm bench');
    note('save', performance.now() - begun);
  });
  note('pause', stopped(qemu, after));
  note('silence', longest);
  note('stored', kept(disk) - before);
  await sleep(1000);
  const from = qemu.serial.end();
  const again = performance.now();
  await hmp(qemu, 'loadvm bench');
  await goesOn(qemu.serial, from, most + 20);
  note('restore', performance.now() - again);
  await hmp(qemu, 'delvm bench');
}

async function hmp(qemu, line) {
  const said = await qemu.ask('human-monitor-command', { 'command-line': line });
  if (said.trim()) throw new Error(`${line}: ${said}`);
}

/** Without the sandbox, in which QEMU cannot run the programs that take its stream. */
const bare = (args) => args.filter((arg, at) => arg !== '-sandbox' && args[at - 1] !== '-sandbox');

/** A peer's machine on a qcow2 copy of the image, with its memory filled. */
async function peer(machine, image, folder, more = []) {
  mkdirSync(folder, { recursive: true });
  const disk = join(folder, 'disk.qcow2');
  run('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', image, disk]);
  const args = bare(sameMachine(machine.args, [{ file: disk }]));
  const qemu = await Qemu.start(machine.program, args, folder, { more });
  await qemu.ask('migrate-set-parameters', { 'max-bandwidth': 2 ** 40 });
  await filled(qemu.serial);
  return { qemu, disk, args };
}

export async function filled(serial, from = 0) {
  await serial.find(/dirty filled=\d+[^]*\bd=50\r?\n/, from, 300);
}

/** Both ways of QEMU's own, each with a guest that was started for it. */
export async function peersAt(machine, image, folder, round, file, inside) {
  const place = join(folder, `stop-${round}`);
  const stopping = await peer(machine, image, place);
  let state;
  try {
    await sleep(2000);
    state = await stopAndSave(stopping.qemu, place, file);
  } finally {
    await stopping.qemu.stop();
  }
  // As it was then: an overlay over what it wrote until it stopped.
  run('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', stopping.disk, '-F', 'qcow2', join(place, 'again.qcow2')]);
  const again = await Qemu.start(machine.program, bare(sameMachine(machine.args, [{ file: join(place, 'again.qcow2') }])), join(place, 'again'), { more: ['-incoming', `exec:cat ${state}`], go: false });
  try {
    // It was saved stopped, and is so again once all is read.
    while ((await again.ask('query-status')).status === 'inmigrate') await sleep(2);
    await again.go();
    await again.serial.find(/\bd=\d+\r?\n/);
    file('restore', performance.now() - again.begun);
  } finally {
    await again.stop();
    rmSync(place, { recursive: true });
  }

  const other = join(folder, `savevm-${round}`);
  const saving = await peer(machine, image, other);
  try {
    await sleep(2000);
    await savevm(saving.qemu, inside, saving.disk);
  } finally {
    await saving.qemu.stop();
    rmSync(other, { recursive: true });
  }
}

/** The three ways, round by round, at one size. */
async function at(bench, offering, mib) {
  const folder = join(bench.folder, `memory-${mib}`);
  const image = guestImage(bench.folder, 'dirty', { probe: `dirty ${FILLED}` });
  const server = await Server.start(bench.binary, bench.site, join(folder, 'server'), { guest: image });
  const ways = Object.fromEntries(['Reprise', 'QEMU, stop and migrate to a file', 'QEMU, savevm'].map((name) => [name, {}]));
  const note = (way) => (what, value) => (ways[way][what] ??= []).push(value);
  const [own, file, inside] = Object.keys(ways).map(note);
  try {
    const instance = await server.createInstance(`memory-${mib}`, offering);
    const serial = new Serial(join(server.data, 'instances', instance.id, 'serial.log'));
    for (let round = 0; round < bench.rounds; round += 1) {
      const from = serial.end();
      await server.act('/api/instances/start', { instance: instance.id });
      const machine = server.qemu(instance);
      await filled(serial, from);
      await sleep(2000);
      // Nothing done, for as long as a save of ours takes: what an emulated processor is silent for by itself.
      own('alone', (await silence(serial, () => sleep(1000))).longest);
      const { gave: point, longest } = await silence(serial, () => server.createPoint(instance, `m-${round}`, { memory: 'true' }));
      if (!point.memory) throw new Error(`no memory was kept: ${JSON.stringify(point)}`);
      own('pause', point.stood_still / 1000);
      own('silence', longest);
      own('save', point.took);
      own('stored', point.memory / MIB);
      await sleep(1000);
      const most = Math.max(...counted(serial.text(from)));
      await sleep(2000);
      const [end, begun] = [serial.end(), performance.now()];
      const back = server.rollBack(point);
      await goesOn(serial, end, most);
      own('restore', performance.now() - begun);
      await back;
      await server.act('/api/instances/stop', { instance: instance.id, force: 'true' });
      run('sync', []);

      await peersAt(machine, image, folder, round, file, inside);
      progress(`memory ${mib} MiB, round ${round + 1}: ${Object.entries(ways).map(([way, seen]) => `${way}: ${Object.entries(seen).map(([what, values]) => `${what} ${values.at(-1).toFixed(1)}`).join(', ')}`).join('; ')}`);
    }
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
  return ways;
}

export async function memory(bench) {
  const missing = missingForGuests();
  if (missing) {
    bench.print(`Recovery points with memory: not measured, ${missing}.`);
    bench.print();
    return;
  }
  // Minutes a round.
  const rounds = Math.min(bench.rounds, 3);
  bench.print(`Recovery points with memory: ${FILLED} % of it is filled with bytes that do not compress and rewritten by 2,000 pages a second; median of ${rounds}. *Stood still*: from QEMU’s STOP to its RESUME. *Silent*: the longest time in which a guest that says something each 10 ms said nothing (in brackets with nothing done). *Next word*: from the request, the guest running, until it goes on from the saved instant; of a file, from the start of the new process. What a peer saves is in the page cache, what Reprise saves is compressed and on the disk:`);
  bench.print();
  bench.print('| Memory | What | Stood still, ms | Reprise beside it | Silent, ms | Saved after, s | Kept, MiB | Next word after, ms | Reprise beside it |');
  bench.print('|---|---|---|---|---|---|---|---|---|');
  for (const [offering, mib] of SIZES) {
    const ways = await at({ ...bench, rounds }, offering, mib);
    for (const [way, seen] of Object.entries(ways)) {
      const beside = (what) => (way === 'Reprise' ? '' : times(ways.Reprise[what], seen[what]));
      const silent = `${shown(seen.silence, 0)}${seen.alone ? ` [${shown(seen.alone, 0)}]` : ''}`;
      bench.print(`| ${way === 'Reprise' ? `${mib} MiB` : ''} | ${way} | ${shown(seen.pause, 1)} | ${beside('pause')} | ${silent} | ${shown(seen.save.map((ms) => ms / 1000), 2)} | ${shown(seen.stored)} | ${shown(seen.restore)} | ${beside('restore')} |`);
    }
  }
  bench.print();
}
