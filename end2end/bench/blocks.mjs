// The NBD door beside other NBD servers, with fio as the client.

import { spawn, spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { Server } from './server.mjs';
import { disk, MIB, progress, run, shown, sleep, times } from './tools.mjs';

const seconds = Number(process.env.REPRISE_BENCH_SECONDS ?? 5);

/** Runs fio's nbd engine on the export; operations a second. */
function fio(uri, kind, folder) {
  const result = spawnSync('fio', [
    '--name=b', '--ioengine=nbd', `--uri=${uri}`, `--rw=${kind}`, '--bs=4k', '--iodepth=32', '--time_based',
    `--runtime=${seconds}`, '--size=1g', '--norandommap', '--randrepeat=0', '--output-format=json',
  ], { encoding: 'utf8', cwd: folder, maxBuffer: 64 * MIB });
  if (result.status !== 0) throw new Error(`fio ${kind} ${uri}: ${result.stderr}${result.stdout}`);
  const { jobs: [job] } = JSON.parse(result.stdout.slice(result.stdout.indexOf('{')));
  return (kind === 'randread' ? job.read : job.write).iops;
}

/** Starts a peer that serves on a socket of its own for as long as `use` takes. */
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

export async function blocks({ binary, site, folder, rounds, print }) {
  const server = await Server.start(binary, site, join(folder, 'server'));
  try {
    progress('preparing disks of 1 GiB, full');
    const raw = join(folder, 'nbd.raw');
    const qcow2 = join(folder, 'nbd.qcow2');
    disk(raw, 1024, 1024);
    run('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', raw, qcow2]);
    const ours = server.uri((await server.createVolume('nbd')).id);
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
          const iops = await serve((uri) => fio(uri, kind, folder));
          ((measured[name] ??= {})[kind] ??= []).push(iops);
          progress(`round ${round}: ${name}, ${kind}: ${Math.round(iops)} a second`);
        }
      }
    }
    print(`NBD, 4 KiB at random on a full disk of 1 GiB, one connection, 32 requests at once, ${seconds} s a run, median of ${rounds}:`);
    print();
    print('| Server | Reads a second (least to most) | Reprise beside it | Writes a second (least to most) | Reprise beside it |');
    print('|---|---|---|---|---|');
    for (const name of Object.keys(peers)) {
      const cells = ['randread', 'randwrite'].flatMap((kind) => [
        shown(measured[name][kind]),
        name === 'Reprise' ? '' : times(measured.Reprise[kind], measured[name][kind]),
      ]);
      print(`| ${name} | ${cells.join(' | ')} |`);
    }
    print();
  } finally {
    await server.stop();
  }
}
