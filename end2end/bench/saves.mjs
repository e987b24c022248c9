// Small saves: a disk that is half random, beside restic. The larger comparison is in archive.mjs.

import { closeSync, copyFileSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Server } from './server.mjs';
import { disk, kept, MIB, progress, run, shown, times } from './tools.mjs';

async function save(server, volume, name) {
  const begun = performance.now();
  await server.post('/api/volumes/take-snapshot', { volume, name });
  await server.untilRow('/api/snapshots/list', name, 'saved');
  return (performance.now() - begun) / 1000;
}

function backup(repository, file) {
  const begun = performance.now();
  run('restic', ['backup', '--no-cache', '--quiet', file], { env: { ...process.env, RESTIC_REPOSITORY: repository, RESTIC_PASSWORD: 'bench' } });
  return (performance.now() - begun) / 1000;
}

export async function saves({ binary, site, folder, rounds, print }) {
  const server = await Server.start(binary, site, join(folder, 'server'));
  try {
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
      const uri = server.uri(volume.id);
      run('nbdcopy', ['--destination-is-zero', '--flush', file, uri]);
      const archive = join(server.data, 'archive');
      const before = kept(archive);
      const repository = join(folder, `restic-${round}`);
      run('restic', ['init', '--quiet'], { env: { ...process.env, RESTIC_REPOSITORY: repository, RESTIC_PASSWORD: 'bench' } });

      measured.Reprise.first.push(await save(server, volume.id, `first-${round}`));
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
      measured.Reprise.second.push(await save(server, volume.id, `second-${round}`));
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
      const cells = ['first', 'second', 'size'].flatMap((what) => [
        shown(figures[what], what === 'size' ? 0 : 2),
        name === 'Reprise' ? '' : times(measured.Reprise[what], figures[what]),
      ]);
      print(`| ${name} | ${cells.join(' | ')} |`);
    }
    print();
  } finally {
    await server.stop();
  }
}
