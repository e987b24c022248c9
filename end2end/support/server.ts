// The real server, on a port and a data folder of its own.

import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const binary = process.env.REPRISE_BINARY ?? join(root, 'target/debug/reprise');
const site = process.env.REPRISE_SITE ?? join(root, 'target/site');

export interface Settings {
  /** The configuration file's text, if one is wanted. */
  config?: string;
  /** Whether the sample data has instances, one of which runs. They cost minutes of a small machine. */
  guests?: boolean;
}

/** The template of the sample instances, where ./dev test could make it and QEMU is there. */
export const guestImage = process.env.REPRISE_GUEST_IMAGE;

export class Server {
  private child: ChildProcess;
  private exit: number | NodeJS.Signals | null = null;

  // The system chooses a free port at the first start; a restart keeps it.
  private port = 0;

  private constructor(
    readonly folder: string,
    private readonly settings: Settings,
  ) {
    this.child = this.spawn();
  }

  get url(): string { return `http://127.0.0.1:${this.port}`; }
  get data(): string { return join(this.folder, 'data'); }
  get logFile(): string { return join(this.folder, 'server.log'); }

  static async start(settings: Settings = {}): Promise<Server> {
    if (!existsSync(binary)) throw new Error(`${binary} is not there: ./dev test builds it`);
    const folder = mkdtempSync(join(tmpdir(), 'reprise-'));
    const server = new Server(folder, settings);
    await server.ready();
    return server;
  }

  private spawn(): ChildProcess {
    const args = ['serve', '--demo', '--data', this.data, '--site', site, '--listen', `127.0.0.1:${this.port}`];
    if (this.settings.config) {
      const file = join(this.folder, 'reprise.toml');
      writeFileSync(file, this.settings.config);
      args.push('--config', file);
    }
    // A shell's redirection would do as well, but this way the process is the server itself.
    const env: NodeJS.ProcessEnv = { ...process.env, RUST_BACKTRACE: '1', NO_COLOR: '1' };
    delete env.REPRISE_DEMO_TEMPLATE;
    if (this.settings.guests && guestImage) env.REPRISE_DEMO_TEMPLATE = guestImage;
    const child = spawn(binary, args, { cwd: this.folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
    const keep = (text: Buffer) => writeFileSync(this.logFile, text, { flag: 'a' });
    child.stdout.on('data', (text: Buffer) => {
      keep(text);
      this.port = Number(/^http:\/\/127\.0\.0\.1:(\d+)$/m.exec(text.toString())?.[1] ?? this.port);
    });
    child.stderr.on('data', keep);
    this.exit = null;
    child.on('exit', (code, signal) => { this.exit = code ?? signal; });
    return child;
  }

  private async ready(): Promise<void> {
    for (let tries = 0; tries < 600; tries += 1) {
      if (this.exit !== null) throw new Error(`the server ended (${this.exit}):\n${this.log()}`);
      try {
        if (this.port > 0 && (await fetch(`${this.url}/healthz`)).ok) return;
      } catch {
        // Not listening yet.
      }
      await new Promise((done) => setTimeout(done, 50));
    }
    throw new Error(`the server does not answer:\n${this.log()}`);
  }

  /** What it has logged, from this offset on. */
  log(from = 0): string {
    return existsSync(this.logFile) ? readFileSync(this.logFile, 'utf8').slice(from) : '';
  }

  /** The NBD sockets of its zones. */
  sockets(): string[] {
    const run = join(this.data, 'run');
    return readdirSync(run).filter((name) => name.endsWith('.sock')).map((name) => join(run, name));
  }

  /** The processes of its guests, each in a folder of its own: they outlive it. */
  guests(): number[] {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => {
      try {
        const program = basename(readlinkSync(`/proc/${pid}/exe`));
        return program.startsWith('qemu-system') && readlinkSync(`/proc/${pid}/cwd`).startsWith(`${this.folder}/`);
      } catch {
        return false; // It has ended in between.
      }
    });
  }

  /** Ends the process, by default as an operator would, and waits until it is gone. Says how it ended. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | NodeJS.Signals> {
    if (this.exit === null) {
      const gone = new Promise((done) => this.child.once('exit', done));
      this.child.kill(signal);
      await gone;
    }
    return this.exit ?? 0;
  }

  async restart(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await this.stop(signal);
    this.child = this.spawn();
    await this.ready();
  }

  /** Stops it and removes what it kept. */
  async dispose(): Promise<void> {
    const how = await this.stop();
    const log = this.log();
    for (const pid of this.guests()) process.kill(pid, 'SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
    if (how !== 0) throw new Error(`the server did not stop cleanly (${how}):\n${log.slice(-4000)}`);
  }
}
