// A cluster of Garage nodes on loopback, as an operator would run one: three nodes, each object on all of them, an answer
// from two is enough to read and to write. A node can be killed and brought back.

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createWriteStream, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../bench/server.mjs';
import { run, sleep } from '../bench/tools.mjs';

const BUCKET = 'reprise';

export class Garage {
  /** Starts `count` nodes under the folder and makes a bucket with a key to it. */
  static async start(binary, folder, count = 3) {
    const garage = new Garage();
    garage.binary = binary;
    garage.nodes = [];
    const secret = randomBytes(32).toString('hex');
    for (let number = 0; number < count; number += 1) {
      const home = join(folder, `node-${number}`);
      mkdirSync(home, { recursive: true });
      const [rpc, s3] = [await freePort(), await freePort()];
      const config = join(home, 'garage.toml');
      writeFileSync(config, [
        `metadata_dir = "${home}/meta"`, `data_dir = "${home}/data"`, 'db_engine = "sqlite"',
        `replication_factor = ${count}`, `rpc_bind_addr = "127.0.0.1:${rpc}"`, `rpc_public_addr = "127.0.0.1:${rpc}"`,
        `rpc_secret = "${secret}"`, '[s3_api]', 's3_region = "garage"', `api_bind_addr = "127.0.0.1:${s3}"`, '',
      ].join('\n'), { mode: 0o600 });
      garage.nodes.push({ number, home, config, rpc, s3, child: null });
      garage.launch(number);
    }
    process.once('exit', () => garage.stop());
    for (const node of garage.nodes) node.id = (await garage.patiently(node, ['node', 'id', '-q'])).trim();
    for (const node of garage.nodes.slice(1)) await garage.patiently(garage.nodes[0], ['node', 'connect', node.id]);
    for (const node of garage.nodes) await garage.patiently(garage.nodes[0], ['layout', 'assign', '-z', 'here', '-c', '20G', node.id.split('@')[0]]);
    await garage.patiently(garage.nodes[0], ['layout', 'apply', '--version', '1']);
    await garage.patiently(garage.nodes[0], ['bucket', 'create', BUCKET]);
    const key = await garage.patiently(garage.nodes[0], ['key', 'create', 'soak']);
    garage.access = /Key ID:\s*(\S+)/.exec(key)[1];
    garage.secret = /Secret key:\s*(\S+)/.exec(key)[1];
    await garage.patiently(garage.nodes[0], ['bucket', 'allow', '--read', '--write', '--owner', BUCKET, '--key', garage.access]);
    return garage;
  }

  launch(number) {
    const node = this.nodes[number];
    const log = createWriteStream(join(node.home, 'log'), { flags: 'a' });
    node.child = spawn(this.binary, ['-c', node.config, 'server'], { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, RUST_LOG: 'garage=warn' } });
    node.child.stdout.pipe(log);
    node.child.stderr.pipe(log);
  }

  /** A command of the cluster's own, tried again while its nodes are still finding each other. */
  async patiently(node, args) {
    for (let tries = 0; ; tries += 1) {
      try {
        return run(this.binary, ['-c', node.config, ...args]);
      } catch (error) {
        if (tries > 100) throw error;
        await sleep(200);
      }
    }
  }

  /** What a server of Reprise is told to use the bucket through this node. */
  environment(number = 0) {
    return {
      REPRISE_ARCHIVE: `s3://${BUCKET}/region`,
      REPRISE_S3_ENDPOINT: `http://127.0.0.1:${this.nodes[number].s3}`,
      REPRISE_S3_REGION: 'garage',
      AWS_ACCESS_KEY_ID: this.access,
      AWS_SECRET_ACCESS_KEY: this.secret,
    };
  }

  async kill(number) {
    const { child } = this.nodes[number];
    const gone = new Promise((done) => child.once('exit', done));
    child.kill('SIGKILL');
    await gone;
  }

  stop() { for (const { child } of this.nodes) child.kill('SIGKILL'); }
}
