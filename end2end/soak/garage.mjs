// A cluster of Garage nodes on loopback, as an operator would run one: three nodes, each object on all of them, an answer
// from two is enough to read and to write. A node can be killed and brought back.

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
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
    // Into the file itself: a pipe through this program is not read while it waits for another one.
    const log = openSync(join(node.home, 'log'), 'a');
    node.child = spawn(this.binary, ['-c', node.config, 'server'], { stdio: ['ignore', log, log], env: { ...process.env, RUST_LOG: 'garage=warn' } });
    closeSync(log);
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

  /**
   * Waits until every node sees every other one. A node that came back looks for the others by itself, but takes its time;
   * two that are away at once are more than the cluster is built to bear.
   */
  async together() {
    for (const node of this.nodes) {
      for (let tries = 0; ; tries += 1) {
        for (const other of this.nodes) if (other !== node) await this.patiently(node, ['node', 'connect', other.id]);
        const status = await this.patiently(node, ['status']);
        if (!/FAILED NODES/.test(status) && this.nodes.every(({ id }) => status.includes(id.slice(0, 16)))) break;
        if (tries > 100) throw new Error(`the nodes do not find each other: ${status}`);
        await sleep(300);
      }
    }
  }

  async kill(number) {
    const { child } = this.nodes[number];
    const gone = new Promise((done) => child.once('exit', done));
    child.kill('SIGKILL');
    await gone;
  }

  stop() { for (const { child } of this.nodes) child.kill('SIGKILL'); }
}
