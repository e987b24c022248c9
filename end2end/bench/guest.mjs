// Guests to measure with: copies of the sample guest's disk image (.ci/guest.sh) that do something else when they start.
//
// Nothing is mounted: boot loader's file and a second archive for the first file system are put into the image's FAT
// partition. The archive has the guest agent replaced: what is measured runs in its place, and no agent answers.

import { copyFileSync, existsSync, readFileSync, statSync, openSync, readSync, closeSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { have, run, sleep } from './tools.mjs';

/** Where the first partition begins, in bytes (.ci/guest.sh). */
const BOOT = 1024 * 1024;

/** Why no guest can be measured here, if so. */
export function missingForGuests() {
  if (!process.env.REPRISE_GUEST_IMAGE) return 'there is no QEMU, or no guest image';
  return ['mcopy:mtools', 'rustc:a Rust compiler', 'qemu-img:qemu-utils', 'qemu-io:qemu-utils'].filter((need) => !have(need.split(':')[0]))
    .map((need) => `${need.split(':')[1]} is missing`)[0];
}

/** An archive as the kernel unpacks it: cpio, "newc" (Documentation/driver-api/early-userspace/buffer-format.rst). */
function archive(files) {
  const pieces = [];
  const pad = (piece) => Buffer.concat([piece, Buffer.alloc((4 - (piece.length % 4)) % 4)]);
  const entry = (name, mode, content, number) => {
    const fields = [number, mode, 0, 0, 1, 0, content.length, 0, 0, 0, 0, name.length + 1, 0];
    const head = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}${name}\0`;
    pieces.push(pad(Buffer.from(head, 'latin1')), pad(content));
  };
  files.forEach(([name, content], index) => entry(name, 0o100755, Buffer.from(content), index + 1));
  entry('TRAILER!!!', 0, Buffer.alloc(0), 0);
  return Buffer.concat(pieces);
}

/** A copy of the guest's image that runs `probe` with these arguments (none: nothing), with more on the kernel's line. */
export function guestImage(folder, name, { probe = '', kernel = '' } = {}) {
  const program = join(folder, 'probe');
  if (!existsSync(program)) {
    run('rustc', ['--edition', '2024', '-C', 'target-feature=+crt-static', '-C', 'strip=symbols', '-O', '-o', program, fileURLToPath(new URL('guest/probe.rs', import.meta.url))]);
  }
  const image = join(folder, `${name}.img`);
  const [extra, config] = [join(folder, 'extra'), join(folder, 'syslinux.cfg')];
  copyFileSync(process.env.REPRISE_GUEST_IMAGE, image);
  const agent = probe ? `#!/bin/sh\nprobe ${probe} &\n` : '#!/bin/sh\nexit 0\n';
  writeFileSync(extra, archive([['bin/probe', readFileSync(program)], ['sbin/qemu-ga', agent]]));
  run('mcopy', ['-n', '-i', `${image}@@${BOOT}`, '::syslinux.cfg', config]);
  const text = readFileSync(config, 'utf8')
    .replace(/^(\s*INITRD initrd)$/m, '$1,extra')
    .replace(/^(\s*APPEND .*)$/m, `$1 ${kernel}`);
  if (!text.includes('initrd,extra')) throw new Error('the guest has another boot configuration than was thought');
  writeFileSync(config, text);
  run('mcopy', ['-o', '-i', `${image}@@${BOOT}`, extra, config, '::']);
  return image;
}

/** What a guest writes on its serial line, from a file; both peers have one. */
export class Serial {
  constructor(file) { this.file = file; }

  end() { return existsSync(this.file) ? statSync(this.file).size : 0; }

  text(from = 0) {
    const buffer = Buffer.alloc(Math.max(0, this.end() - from));
    const handle = openSync(this.file, 'r');
    try { readSync(handle, buffer, 0, buffer.length, from); } finally { closeSync(handle); }
    return buffer.toString('latin1');
  }

  /** The first match after this place, as soon as it is there. */
  async find(pattern, from = 0, seconds = 120) {
    const end = Date.now() + seconds * 1000;
    for (;;) {
      const found = existsSync(this.file) && pattern.exec(this.text(from));
      if (found) return found;
      if (Date.now() > end) throw new Error(`the guest did not say ${pattern}: ${this.end() ? this.text().slice(-500) : 'nothing'}`);
      await sleep(2);
    }
  }

  /**
   * What the probe told while `act` ran: the longest held write and processor gap, in milliseconds, of the reports that
   * cover it, and what `act` gave. The report after its end covers it too.
   */
  async during(act) {
    const from = this.end();
    const gave = await act();
    const acted = this.end();
    await this.find(/held write=[^\n]*\n[^]*?held write=[^\n]*\n/, acted);
    const reports = [...this.text(from).matchAll(/held write=(\d+) ran=(\d+) writes=(\d+)/g)];
    const most = (column) => Math.max(...reports.map((report) => Number(report[column]))) / 1000;
    return { gave, write: most(1), ran: most(2) };
  }
}
