// What the server takes of memory, how large the browser half is, and how fast pages with thousands of rows come.

import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Server } from './server.mjs';
import { percentile, progress, sleep } from './tools.mjs';

const listed = Number(process.env.REPRISE_BENCH_ROWS ?? 3000);

export async function pages(bench) {
  const server = await Server.start(bench.binary, bench.site, bench.folder);
  try {
    await idle(server, bench);
    browserHalf(bench);
    await lists(server, bench);
  } finally {
    await server.stop();
  }
}

const inMemory = ({ all, own }) => `${(all / 1024).toFixed(1)} MiB, of which ${(own / 1024).toFixed(1)} MiB are not mapped files`;

async function idle(server, { print }) {
  await sleep(5000);
  print('| What | Figure |');
  print('|---|---|');
  print(`| Idle server, resident memory | ${inMemory(server.memory())} |`);
}

function browserHalf({ site, print }) {
  for (const name of ['reprise_bg.wasm', 'reprise.js', 'reprise.css']) {
    const file = join(site, 'pkg', `${name}.br`);
    if (existsSync(file)) print(`| ${name}, brotli | ${(statSync(file).size / 1024).toFixed(1)} KiB |`);
  }
  print();
}

/** Milliseconds from request to last byte, one request after the other on one connection. */
async function timed(server, path, requests = 200) {
  const taken = [];
  for (let n = 0; n < requests + 20; n += 1) {
    const begun = performance.now();
    await (await server.get(path)).arrayBuffer();
    if (n >= 20) taken.push(performance.now() - begun);
  }
  return `median ${percentile(taken, 0.5).toFixed(1)} ms, 95 % within ${percentile(taken, 0.95).toFixed(1)} ms`;
}

async function lists(server, { print }) {
  progress(`making ${listed} volumes`);
  const [zone] = await server.zones();
  for (let n = 0; n < listed; n += 20) {
    const some = Array.from({ length: Math.min(20, listed - n) }, (_, at) => `list-${n + at}`);
    await Promise.all(some.map((name) => server.post('/api/volumes/create', { name, zone: zone.id, size_gib: 1 })));
  }
  for (;;) {
    if ((await server.json('/api/jobs/current')).every((job) => job.state === 'succeeded')) break;
    await sleep(200);
  }
  print('| Pages | Time to the last byte, one request after the other |');
  print('|---|---|');
  const { total, pages: count } = await server.json('/api/volumes/list?page=1');
  print(`| List of volumes, ${total} rows, first page of ${count} | ${await timed(server, '/volumes')} |`);
  print(`| the same, last page | ${await timed(server, `/volumes?page=${count}`)} |`);
  print(`| the same, the rows alone | ${await timed(server, '/api/volumes/list?page=1')} |`);
  print(`| Resident memory after that | ${inMemory(server.memory())} |`);
  print();
}
