// A real server with the demonstration school, on a free loopback port and a folder of its own.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { accountOfOutput, witnesses } from './account.mjs';
import { freePort } from './ports.mjs';

const REPOSITORY = new URL('../../../', import.meta.url).pathname;
export const BINARY =
  process.env.QISM_BINARY ?? join(process.env.CARGO_TARGET_DIR ?? join(REPOSITORY, 'target'), 'debug', 'qism');

/** Starts `qism demo`; resolves once it serves. `restart()` ends the process and starts it again on the same data. */
export async function openSchool({
  env = {},
  host = '127.0.0.1',
  https = false,
  config,
  app = join(REPOSITORY, 'web-client', 'dist'),
} = {}) {
  const data = mkdtempSync(join(tmpdir(), 'qism-e2e-'));
  const port = await freePort(host.replace(/[[\]]/g, ''));
  let child;
  const output = [];
  const start = () =>
    new Promise((ready, failed) => {
      child = spawn(
        BINARY,
        [
          'demo',
          '--listen',
          `${host}:${port}`,
          '--data',
          data,
          '--web-dir',
          app,
          ...(https ? ['--https'] : []),
          ...(config ? ['--config', config] : []),
        ],
        { env: { ...process.env, ...env } },
      );
      const late = setTimeout(() => failed(new Error(`the server did not get ready:\n${output.join('')}`)), 30_000);
      child.stdout.on('data', (text) => {
        output.push(String(text));
        const line = output.join('').match(/^ready (http\S+)/m);
        if (line) {
          clearTimeout(late);
          ready(line[1]);
        }
      });
      child.stderr.on('data', (text) => output.push(String(text)));
      child.once('exit', (code) => {
        clearTimeout(late);
        failed(new Error(`the server ended with ${code}:\n${output.join('')}`));
      });
    });
  const stop = (signal = 'SIGTERM') =>
    new Promise((done) => {
      if (child.exitCode !== null || child.signalCode !== null) return done();
      child.once('exit', done);
      child.kill(signal);
    });
  const url = await start();
  const school = {
    url,
    port,
    output: () => output.join(''),
    account: () => accountOfOutput('the server', school.output()),
    stop,
    restart: async (signal = 'SIGKILL') => {
      await stop(signal);
      output.length = 0;
      await start();
    },
    close: async () => {
      witnesses.delete(school);
      await stop();
      rmSync(data, { recursive: true, force: true });
    },
  };
  witnesses.add(school);
  return school;
}
