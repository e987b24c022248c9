// The same doors as the pages', without a browser: for what a test needs before it begins, and for forged requests.

import { request, type APIRequestContext, type APIResponse } from '@playwright/test';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { Server } from './server.ts';
import { people, type Person } from './people.ts';

export interface Zone { id: string; name: string; free: number }
export interface Job { id: string; state: string; kind: string; subject: string; fault: { code: string } | null }
export interface Volume { id: string; name: string; zone: string; state: string; size: number; written: number | null; snapshots: number; job: Job | null }
export interface Snapshot { id: string; name: string; volume: string; state: string; data: number | null; reclaimable: number | null; fault: { code: string } | null; job: Job | null }
export interface Instance { id: string; name: string; zone: string; state: string; fault: { code: string } | null; points: number; job: Job | null }
/** A point among the others. */
export interface PointRow {
  id: string; name: string; kind: 'made' | 'safety'; state: string; frees: number | null; depth: number; children: number; on_path: boolean;
}
/** One point, with all that is known of it. */
export interface Point {
  id: string; name: string; description: string; kind: 'made' | 'safety'; state: string; consistency: string | null; running: boolean;
  stood_still: number | null; disks: { volume: string; name: string }[]; job: Job | null;
}
export interface Points { points: PointRow[]; current: string | null; undo: [string, unknown] | null }
export interface Template { id: string; name: string; state: string; fault: { code: string } | null }
export interface Serial { from: number; text: string; end: number; kept_from: number }

export class Api {
  private constructor(private readonly context: APIRequestContext) {}

  /** Signed in as `who`; nobody when null. */
  static async as(server: Server, who: Person | null = people.owner): Promise<Api> {
    const context = await request.newContext({
      baseURL: server.url,
      extraHTTPHeaders: { Origin: server.url, Accept: 'application/json' },
    });
    if (who) {
      const answer = await context.post('/sign-in', {
        form: { email: who.email, password: who.password, next: '/volumes' },
        maxRedirects: 0,
      });
      if (answer.status() !== 303 || answer.headers().location !== '/volumes') {
        throw new Error(`signing in as ${who.email}: ${answer.status()} ${answer.headers().location}`);
      }
    }
    return new Api(context);
  }

  async dispose(): Promise<void> { await this.context.dispose(); }

  post(path: string, form: Record<string, string>, headers?: Record<string, string>): Promise<APIResponse> {
    return this.context.post(path, { form, headers, maxRedirects: 0 });
  }
  get(path: string): Promise<APIResponse> { return this.context.get(path, { maxRedirects: 0 }); }

  private async read<T>(path: string): Promise<T> {
    const answer = await this.get(path);
    if (!answer.ok()) throw new Error(`GET ${path}: ${answer.status()} ${await answer.text()}`);
    return (await answer.json()) as T;
  }
  private async act(path: string, form: Record<string, string>): Promise<void> {
    const answer = await this.post(path, form);
    if (!answer.ok()) throw new Error(`POST ${path}: ${answer.status()} ${await answer.text()}`);
  }

  async zones(): Promise<Zone[]> { return (await this.read<{ zones: Zone[] }>('/api/session/get')).zones; }

  private async all<T>(path: string): Promise<T[]> {
    const rows: T[] = [];
    for (let page = 1, pages = 1; page <= pages; page += 1) {
      const answer = await this.read<{ rows: T[]; pages: number }>(`${path}?page=${page}`);
      rows.push(...answer.rows);
      pages = answer.pages;
    }
    return rows;
  }
  volumes(): Promise<Volume[]> { return this.all('/api/volumes/list'); }
  snapshots(): Promise<Snapshot[]> { return this.all('/api/snapshots/list'); }
  async volume(name: string): Promise<Volume | undefined> { return (await this.volumes()).find((row) => row.name === name); }
  async snapshot(name: string): Promise<Snapshot | undefined> { return (await this.snapshots()).find((row) => row.name === name); }

  instances(): Promise<Instance[]> { return this.all('/api/instances/list'); }
  templates(): Promise<Template[]> { return this.all('/api/templates/list'); }
  async instance(name: string): Promise<Instance | undefined> { return (await this.instances()).find((row) => row.name === name); }
  async template(name: string): Promise<Template | undefined> { return (await this.templates()).find((row) => row.name === name); }
  async volumesOf(instance: Instance): Promise<Volume[]> {
    return (await this.read<{ volumes: Volume[] }>(`/api/instances/get?instance=${instance.id}`)).volumes;
  }
  async points(instance: Instance): Promise<Points> {
    const found = await this.read<Points>(`/api/points/list?instance=${instance.id}`);
    // What is usual is not written.
    const usual = { kind: 'made', state: 'ready', frees: null, depth: 0, children: 0, on_path: false } as const;
    return { ...found, points: found.points.map((row) => ({ ...usual, ...row })) };
  }
  serial(instance: Instance, from?: number): Promise<Serial> {
    return this.read(`/api/instances/serial?instance=${instance.id}${from === undefined ? '' : `&from=${from}`}`);
  }

  /** An instance that stands, from an image that a machine could start from; nothing needs to run for it. */
  async createInstance(name: string): Promise<Instance> {
    const image = Buffer.alloc(1 << 20);
    image[0] = 0xfa;
    image.writeUInt16LE(0xaa55, 510);
    const file = { name: 'image.raw', mimeType: 'application/octet-stream', buffer: image };
    const answer = await this.context.post('/upload/template', { multipart: { name, file }, maxRedirects: 0 });
    if (!answer.ok()) throw new Error(`upload: ${answer.status()} ${await answer.text()}`);
    const template = await until(`the template ${name} is ready`, async () => {
      const row = await this.template(name);
      if (row?.state === 'failed') throw new Error(`${name}: ${JSON.stringify(row)}`);
      return row?.state === 'ready' ? row : undefined;
    });
    const zone = (await this.zones())[0]!.id;
    await this.act('/api/instances/create', { name, template: template.id, zone, offering: '0' });
    return this.settled(name, 'stopped');
  }

  /** A recovery point, made. */
  async createPoint(instance: Instance, name: string): Promise<Point> {
    await this.act('/api/points/create', { instance: instance.id, name, description: '' });
    return this.point(instance, name);
  }
  /** The point of this name, once it is made. */
  async point(instance: Instance, name: string): Promise<Point> {
    const row = await until(`the point ${name} is made`, async () => {
      const { points } = await this.points(instance);
      return points.find((row) => row.name === name && row.kind === 'made' && row.state === 'ready');
    });
    return this.read(`/api/points/get?instance=${instance.id}&point=${row.id}`);
  }
  /** Begins to bring the instance back to the point, with a safety point, as the dialog would. */
  async rollBack(point: Point): Promise<void> {
    const plan = await this.read<{ seal: string; refused: unknown }>(`/api/points/rollback-plan?point=${point.id}`);
    if (plan.refused) throw new Error(`rolling back to ${point.name}: ${JSON.stringify(plan.refused)}`);
    await this.act('/api/points/rollback', { point: point.id, seal: plan.seal, safety: 'true' });
  }
  async start(instance: Instance): Promise<void> { await this.act('/api/instances/start', { instance: instance.id }); }

  /** Waits until the instance is as wanted and no work on it is at hand. */
  async settled(name: string, state: 'running' | 'stopped'): Promise<Instance> {
    return until(`${name} is ${state}`, async () => {
      const row = await this.instance(name);
      if (row?.state === 'failed') throw new Error(`${name}: ${JSON.stringify(row)}`);
      return row?.state === state && row.job === null ? row : undefined;
    }, 90);
  }

  /** An empty volume of 1 GiB, or one with the image's content; ready. */
  async createVolume(name: string, zone?: string, image?: string): Promise<Volume> {
    zone ??= (await this.zones())[0]!.id;
    if (image) {
      const answer = await this.upload({ name, zone, kind: 'data' }, basename(image), readFileSync(image));
      if (!answer.ok()) throw new Error(`upload: ${answer.status()} ${await answer.text()}`);
    } else {
      await this.act('/api/volumes/create', { name, zone, size_gib: '1' });
    }
    return until(`${name} is ready`, async () => {
      const row = await this.volume(name);
      if (row?.state === 'failed') throw new Error(`${name}: ${JSON.stringify(row)}`);
      return row?.state === 'ready' ? row : undefined;
    });
  }

  upload(fields: Record<string, string>, fileName: string, content: Buffer): Promise<APIResponse> {
    const file = { name: fileName, mimeType: 'application/octet-stream', buffer: content };
    return this.context.post('/upload/volume', { multipart: { ...fields, file }, maxRedirects: 0 });
  }

  /** A body as it stands, whatever it is worth. */
  raw(path: string, type: string, body: string): Promise<APIResponse> {
    return this.context.post(path, { data: Buffer.from(body, 'latin1'), headers: { 'Content-Type': type }, maxRedirects: 0 });
  }

  /** A snapshot in the object store. */
  async takeSnapshot(volume: Volume, name: string): Promise<Snapshot> {
    await this.act('/api/volumes/take-snapshot', { volume: volume.id, name });
    return until(`${name} is saved`, async () => {
      const row = await this.snapshot(name);
      if (row?.state === 'failed') throw new Error(`${name}: ${JSON.stringify(row)}`);
      return row?.state === 'saved' ? row : undefined;
    });
  }
}

/** Asks again until there is an answer. */
export async function until<T>(what: string, ask: () => Promise<T | undefined>, seconds = 40): Promise<T> {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() > end) throw new Error(`waited ${seconds} s in vain: ${what}`);
    await new Promise((done) => setTimeout(done, 100));
  }
}
