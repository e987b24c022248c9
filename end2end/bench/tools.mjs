// What every part of the measurements uses: running programs, numbers in words, and disks with something on them.

import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, writeSync } from 'node:fs';
import { randomFillSync } from 'node:crypto';

export const MIB = 1024 * 1024;

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

export const progress = (text) => console.error(`   ${text}`);

const sorted = (values) => [...values].sort((a, b) => a - b);
export const median = (values) => sorted(values)[Math.floor((values.length - 1) / 2)];
export const percentile = (values, part) => sorted(values)[Math.min(values.length - 1, Math.floor(values.length * part))];

/** Median, then least and most; a single value alone. */
export function shown(values, digits = 0) {
  const middle = median(values).toFixed(digits);
  if (values.length === 1) return middle;
  return `${middle} (${Math.min(...values).toFixed(digits)} to ${Math.max(...values).toFixed(digits)})`;
}

/** Our median beside theirs, to two digits that say something. */
export function times(ours, theirs) {
  const ratio = median(ours) / median(theirs);
  return `${ratio >= 0.1 ? ratio.toFixed(2) : ratio.toPrecision(2)} ×`;
}

export const run = (command, args, options = {}) => execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 64 * MIB, ...options });

/** Runs a program; seconds of processor that it and what it started took, which other work on the machine changes little. */
export function worked(command, args, options = {}) {
  const script = 'TIMEFORMAT="cpu %U %S"; time "$@"';
  const { status, stdout, stderr } = spawnSync('bash', ['-c', script, 'bash', command, ...args], { encoding: 'utf8', maxBuffer: 64 * MIB, ...options, env: { ...(options.env ?? process.env), LC_ALL: 'C' } });
  const found = /^cpu ([\d.]+) ([\d.]+)$/m.exec(stderr);
  if (status !== 0 || !found) throw new Error(`${command} ${args.join(' ')}: ${stderr}${stdout}`);
  return Number(found[1]) + Number(found[2]);
}

/** Seconds of processor that a running process has taken so far. */
export function processor(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  // In ticks of a hundredth of a second, on every Linux there is a server for.
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

export const have = (command) => spawnSync('sh', ['-c', `command -v ${command}`], { stdio: 'ignore' }).status === 0;

/** The first line of what a program says about itself. */
export const version = (command, args = ['--version']) => run(command, args).split('\n')[0].trim();

/** MiB that files of a folder take up on the disk. */
export const kept = (path) => (existsSync(path) ? Number(run('du', ['-s', '-B1', path]).split('\t')[0]) / MIB : 0);

/** A disk of `mib` MiB whose first `filled` MiB hold data, half of it random and half text that compresses. */
export function disk(path, mib, filled) {
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

/**
 * Writes pieces of 64 KiB with qemu-io: [piece number, pattern]… `image` is a file with its `format`, or an export (raw).
 */
export function writePieces(image, format, pieces) {
  const commands = pieces.map(([piece, pattern]) => `write -q -P ${pattern} ${piece * 65536} 65536`);
  run('qemu-io', ['-f', format, image], { input: `${commands.join('\n')}\nflush\nquit\n`, stdio: ['pipe', 'pipe', 'pipe'] });
}

/** `count` different numbers below `of`, and the same ones each time: a plain generator, seeded. */
export function scattered(count, of, seed) {
  let state = seed * 2654435761 + 1;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state;
  };
  const found = new Set();
  while (found.size < count) found.add(Math.floor((next() / 2 ** 32) * of));
  return [...found];
}

/** What a process has read and written so far, in bytes: through calls, and what the kernel took to be written to a disk. */
export function io(pid) {
  const text = readFileSync(`/proc/${pid}/io`, 'utf8');
  const of = (name) => Number(new RegExp(`^${name}: (\\d+)`, 'm').exec(text)[1]);
  return { read: of('rchar'), called: of('wchar'), written: of('write_bytes') };
}
