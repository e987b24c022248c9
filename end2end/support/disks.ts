// Disk images, and volumes read back over NBD, by the tools that others use: qemu-img, nbdinfo.

import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Server } from './server.ts';

export type Format = 'raw' | 'qcow2' | 'vmdk';

// What a worker makes goes when the worker does.
const images = mkdtempSync(join(tmpdir(), 'reprise-images-'));
process.once('exit', () => rmSync(images, { recursive: true, force: true }));

/** A sparse raw image of `mib` MiB with `pieces` pieces of data at different places; the same seed gives the same image. */
export function rawImage(seed: string, mib: number, pieces = 8): string {
  const path = join(images, `${seed}.raw`);
  const file = openSync(path, 'w');
  ftruncateSync(file, mib * 1024 * 1024);
  for (let piece = 0; piece < pieces; piece += 1) {
    const hash = createHash('sha512').update(`${seed}/${piece}`).digest();
    // 100 000 bytes that are not a whole number of blocks, the last ones at the image's very end.
    const bytes = Buffer.alloc(100_000);
    for (let at = 0; at < bytes.length; at += hash.length) hash.copy(bytes, at);
    const place = Math.floor(((mib * 1024 * 1024 - bytes.length) * piece) / Math.max(1, pieces - 1));
    writeSync(file, bytes, 0, bytes.length, place);
  }
  closeSync(file);
  return path;
}

export function convert(raw: string, format: Format): string {
  if (format === 'raw') return raw;
  const path = raw.replace(/\.raw$/, `.${format}`);
  execFileSync('qemu-img', ['convert', '-f', 'raw', '-O', format, raw, path]);
  return path;
}

/** The address under which one of the server's zones offers the volume. */
export function exportOf(server: Server, volume: string): string {
  for (const socket of server.sockets()) {
    const uri = `nbd+unix:///${volume}?socket=${socket}`;
    if (spawnSync('nbdinfo', ['--size', uri], { stdio: 'ignore' }).status === 0) return uri;
  }
  throw new Error(`no zone offers the volume ${volume}`);
}

/** Whether two disks (raw files or NBD addresses) hold the same bytes, as qemu-img sees them. */
export function sameContent(a: string, b: string): boolean {
  const result = spawnSync('qemu-img', ['compare', '-f', 'raw', '-F', 'raw', a, b], { encoding: 'utf8' });
  if (result.status === 0 || result.status === 1) return result.status === 0;
  throw new Error(`qemu-img compare ${a} ${b}: ${result.stdout}${result.stderr}`);
}

/** Bytes of the disk that the server says hold data. */
export function dataBytes(uri: string): number {
  const map = JSON.parse(execFileSync('nbdinfo', ['--map', '--json', uri], { encoding: 'utf8' })) as
    { length: number; type: number }[];
  return map.filter(({ type }) => (type & 1) === 0).reduce((sum, { length }) => sum + length, 0);
}

/** Overwrites `length` bytes at `offset` of a volume with `pattern`, over NBD. */
export function write(uri: string, offset: number, length: number, pattern: number): void {
  execFileSync('qemu-io', ['-f', 'raw', '-c', `write -P ${pattern} ${offset} ${length}`, '-c', 'flush', uri]);
}

/** Fills the first `mib` MiB of a volume with bytes that neither compress nor repeat. */
export function fillWithNoise(uri: string, mib: number): void {
  const path = join(images, 'noise.raw');
  const file = openSync(path, 'w');
  for (let at = 0; at < mib; at += 1) writeSync(file, randomBytes(1 << 20));
  closeSync(file);
  execFileSync('qemu-img', ['convert', '-n', '-f', 'raw', '-O', 'raw', path, uri]);
  rmSync(path);
}

/** Whether writing so much finds room; what the writer is told otherwise. */
export function tryToWrite(uri: string, mib: number): string {
  const result = spawnSync('qemu-io', ['-f', 'raw', '-c', `write -q -P 90 0 ${mib}M`, '-c', 'flush', uri], { encoding: 'utf8' });
  return `${result.stdout}${result.stderr}`.trim();
}

/** Keeps a volume open, as a virtual machine would, for as long as `use` takes. */
export async function hold(uri: string, use: () => Promise<void>): Promise<void> {
  const machine = spawn('qemu-io', ['-f', 'raw', uri], { stdio: ['pipe', 'pipe', 'ignore'] });
  const gone = new Promise((done) => machine.once('exit', done));
  const opened = new Promise<void>((done) => machine.stdout.once('data', () => done()));
  machine.stdin.write('write -q -P 1 0 4096\nlength\n');
  await opened;
  try {
    await use();
  } finally {
    machine.stdin.end('quit\n');
    await gone;
  }
}
