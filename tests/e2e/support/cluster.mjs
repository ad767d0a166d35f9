// Three servers of one demonstration school behind HAProxy, as `make cluster` starts them, on free loopback ports.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { accountOfOutput, witnesses } from './account.mjs';
import { freePort } from './ports.mjs';
import { BINARY } from './school.mjs';

const REPOSITORY = new URL('../../../', import.meta.url).pathname;
/** What `tools/cluster` adds to its port. */
const OFFSETS = [0, 1, 2, 3, 11, 12, 13, 20, 21, 31, 32, 33];
const NODES = [1, 2, 3];

/** Starts it; resolves once it serves. `url` is the one name of all; a node is stopped and started by its number. */
export async function openCluster() {
  const port = await freePort('127.0.0.1', OFFSETS);
  const output = [];
  const cluster = spawn(join(REPOSITORY, 'tools/cluster'), [String(port)], {
    env: { ...process.env, QISM_BINARY: BINARY },
  });
  const ended = new Promise((done) => cluster.once('exit', done));
  await new Promise((ready, failed) => {
    const look = (text) => {
      output.push(String(text));
      if (/^ready /m.test(output.join(''))) ready();
    };
    cluster.stdout.on('data', look);
    cluster.stderr.on('data', look);
    ended.then((code) => failed(new Error(`the cluster ended with ${code}:\n${output.join('')}`)));
  });
  const text = output.join('');
  const folder = text.match(/logs in (\S+),/)[1];
  const processOf = (node) => Number(text.match(new RegExp(`^node${node} .* process (\\d+)`, 'm'))[1]);
  const pids = new Map(NODES.map((node) => [node, processOf(node)]));
  const again = new Map();

  /** Whether a process is there that is not merely waiting to be noticed. */
  const runs = (pid) => {
    try {
      process.kill(pid, 0);
      return true;
    } catch {
      return false;
    }
  };
  const servers = {
    url: `http://127.0.0.1:${port}`,
    account: () =>
      NODES.map((node) => accountOfOutput(`node${node}`, readFileSync(join(folder, `node${node}.log`), 'utf8'))).join(
        '\n',
      ),
    /** Asks a node to end in order; how long that took, in milliseconds. */
    stop: async (node) => {
      const pid = pids.get(node);
      const begun = Date.now();
      process.kill(pid, 'SIGTERM');
      while (runs(pid)) {
        if (Date.now() - begun > 60_000) throw new Error(`node${node} does not end`);
        await new Promise((done) => setTimeout(done, 50));
      }
      return Date.now() - begun;
    },
    /** Ends a node as a power cut would. */
    kill: (node) => process.kill(pids.get(node), 'SIGKILL'),
    /** Starts a node again, and waits until the proxy sends people there. */
    start: async (node) => {
      const child = spawn(BINARY, ['demo', '--config', join(folder, `node${node}.toml`)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await new Promise((ready, failed) => {
        child.stdout.on('data', (line) => /^ready /m.test(String(line)) && ready());
        child.once('exit', (code) => failed(new Error(`node${node} ended with ${code}`)));
      });
      pids.set(node, child.pid);
      again.set(node, child);
      await new Promise((done) => setTimeout(done, 2_500));
    },
    close: async () => {
      witnesses.delete(servers);
      for (const child of again.values()) if (child.exitCode === null) child.kill('SIGKILL');
      cluster.kill('SIGTERM');
      await ended;
      for (const stream of [cluster.stdout, cluster.stderr]) stream.destroy();
    },
  };
  witnesses.add(servers);
  return servers;
}

/** The node that holds somebody's line now, by the path of their latest WebSocket. Call before the page opens one. */
export function followNode(page) {
  let node;
  page.on('websocket', (socket) => {
    const named = socket.url().match(/\/ws\/node(\d)/);
    if (named) node = Number(named[1]);
  });
  return () => node;
}
