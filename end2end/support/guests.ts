// What the sample guest says on its serial line (.ci/guest/counter.rs, .ci/guest/init), and where it stands.

import { Api, until, type Instance } from './api.ts';

/** One start of the guest: the count it found on its disk, what it said, and the counts it told since. */
export interface Boot {
  found: number;
  ticks: Tick[];
  lines: string[];
  /** The last count that was told before it, after the offset that was asked from. */
  before: number | undefined;
}

export interface Tick { disk: number; memory: number }

function ticks(lines: string[]): Tick[] {
  return lines.flatMap((line) => {
    const found = /^tick disk=(\d+) (?:disk\d=\d+ )*memory=(\d+)$/.exec(line);
    return found ? [{ disk: Number(found[1]), memory: Number(found[2]) }] : [];
  });
}

export class Guest {
  constructor(private readonly api: Api, private readonly instance: Instance) {}

  /** Everything that is still kept, from `from` on, in pieces as the server hands it out. */
  async log(from = 0): Promise<{ text: string; end: number }> {
    let text = '';
    for (let next = from; ;) {
      const piece = await this.api.serial(this.instance, next);
      text += piece.text;
      if (piece.end <= next || piece.text === '') return { text, end: next };
      next = piece.end;
    }
  }

  async end(): Promise<number> { return (await this.log()).end; }

  /** The first start after this offset in the log that has begun to count. */
  async boot(from = 0): Promise<Boot> {
    return until(`${this.instance.name} counts`, async () => {
      const { text } = await this.log(from);
      const lines = text.split(/\r?\n/);
      const begin = lines.findIndex((line) => line.startsWith('counter begins at '));
      if (begin < 0) return undefined;
      // What it said before it began to count belongs to it as well; another start may follow.
      const next = lines.findIndex((line, index) => index > begin && line.includes('reprise-guest: Linux'));
      const own = lines.slice(0, next < 0 ? undefined : next);
      const told = ticks(own.slice(begin));
      if (told.length === 0) return undefined;
      const found = Number(/disk=(\d+)/.exec(lines[begin]!)![1]);
      return { found, ticks: told, lines: own, before: ticks(lines.slice(0, begin)).at(-1)?.disk };
    }, 90);
  }

  /** The newest count it told. */
  async count(): Promise<number> {
    const { text } = await this.log();
    return ticks(text.split(/\r?\n/)).at(-1)?.disk ?? Number.NaN;
  }

  /** The counts it told after this offset in the log, without a start in between; at least so many. */
  async goesOn(from: number, least: number): Promise<Tick[]> {
    return until(`${this.instance.name} goes on`, async () => {
      const { text } = await this.log(from);
      if (/counter begins at|reprise-guest: Linux/.test(text)) throw new Error(`it was started anew:\n${text}`);
      // The first line may be the rest of one, the last the beginning.
      const told = ticks(text.split(/\r?\n/).slice(1, -1));
      return told.length >= least ? told : undefined;
    }, 90);
  }

  /** The highest count that can be on its disks now: a count is written before it is told. */
  async most(): Promise<number> { return (await this.count()) + 1; }

  /** Waits until it has told a count of at least this; says which. */
  async counts(least: number): Promise<number> {
    return until(`${this.instance.name} counts to ${least}`, async () => {
      const count = await this.count();
      return count >= least ? count : undefined;
    }, 90);
  }
}

/** What a start must never say: a file system that the check found damaged, disks of different instants, a write refused. */
export function troubles(boot: Boot): string[] {
  return boot.lines.filter((line) => /DAMAGED|not of the same instant|counter: |EXT4-fs error|I\/O error/.test(line));
}
