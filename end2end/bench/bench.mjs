// ./dev bench [PART]: what Reprise costs, beside programs that do part of the same. Prints Markdown.
//
// Runs alternate between the programs and the median is told, always with the ratio: figures of one machine at one moment
// mean little alone. REPRISE_BENCH_ROUNDS sets the number of rounds (5). Parts are chosen by a word that their name
// contains; each has a server and a data folder of its own, beside the build.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync, existsSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { archive } from './archive.mjs';
import { blocks } from './blocks.mjs';
import { memory } from './memory.mjs';
import { pages } from './pages.mjs';
import { points } from './points.mjs';
import { saves } from './saves.mjs';
import { have, version } from './tools.mjs';

const parts = { pages, nbd: blocks, saves, points, memory, archive };

const [binary, site, only = ''] = process.argv.slice(2);
const rounds = Number(process.env.REPRISE_BENCH_ROUNDS ?? 5);
const chosen = Object.entries(parts).filter(([name]) => name.includes(only));
if (!site || rounds % 2 === 0) throw new Error('usage: bench.mjs SERVER SITE [PART], with an odd number of rounds');
if (chosen.length === 0) throw new Error(`no part ${only}: there are ${Object.keys(parts).join(', ')}`);

// Beside the build, not in /tmp, which may be memory.
const folder = mkdtempSync(join(existsSync(dirname(site)) ? dirname(site) : tmpdir(), 'bench-'));
const lines = [];
const print = (line = '') => { lines.push(line); console.log(line); };

// Ctrl-C runs what was registered for the end of the program: no server and no guest outlives it.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(130));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));

const peers = [['nbdkit'], ['qemu-nbd'], ['qemu-system-x86_64'], ['restic', ['version']], ['borg'], ['fio']];
print(`Measured on ${cpus().length} processors (${cpus()[0].model}), ${readFileSync('/proc/version', 'utf8').split(' ').slice(0, 3).join(' ')}.`);
print(`Beside: ${peers.filter(([name]) => have(name)).map(([name, args]) => version(name, args)).join('; ')}.`);
print();
const failed = [];
for (const [name, part] of chosen) {
  mkdirSync(join(folder, name));
  try {
    await part({ binary, site, folder: join(folder, name), rounds, print });
  } catch (error) {
    failed.push(name);
    console.error(`${name}: ${error.stack}`);
  }
  rmSync(join(folder, name), { recursive: true, force: true });
}
writeFileSync(join(dirname(site), 'bench.md'), `${lines.join('\n')}\n`);
if (failed.length > 0) console.error(`not measured to the end: ${failed.join(', ')}`);
process.exit(failed.length > 0 ? 1 : 0);
