// Debian's coturn as a school's TURN server: TLS only, the school's secret, a certificate of its own.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { accountOfOutput, witnesses } from './account.mjs';

const SECRET = 'a secret of this school';

function listens(port, host) {
  return new Promise((done) => {
    const socket = connect(port, host, () => {
      socket.destroy();
      done(true);
    }).once('error', () => done(false));
  });
}

/** Starts it on this address; `config` is what a school with it writes into its file, `output()` what coturn said. */
export async function openRelay(host, port = 5349) {
  const folder = mkdtempSync(join(tmpdir(), 'qism-relay-'));
  const [certificate, key, config] = ['cert.pem', 'key.pem', 'qism.toml'].map((name) => join(folder, name));
  execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-days',
      '2',
      '-subj',
      '/CN=relay',
      '-addext',
      `subjectAltName=IP:${host}`,
      '-keyout',
      key,
      '-out',
      certificate,
    ],
    { stdio: 'ignore' },
  );
  const output = [];
  const options = [
    '-n',
    '--verbose',
    '--no-cli',
    '--no-udp',
    '--no-tcp',
    '--no-dtls',
    '--use-auth-secret',
    `--static-auth-secret=${SECRET}`,
    '--realm=school',
    `--listening-ip=${host}`,
    `--relay-ip=${host}`,
    `--tls-listening-port=${port}`,
    `--cert=${certificate}`,
    `--pkey=${key}`,
    '--log-file=stdout',
    `--pidfile=${join(folder, 'pid')}`,
    `--userdb=${join(folder, 'db')}`,
  ];
  const server = spawn('turnserver', options);
  for (const stream of [server.stdout, server.stderr]) stream.on('data', (text) => output.push(String(text)));
  for (let tries = 0; !(await listens(port, host)); tries += 1) {
    if (tries > 200 || server.exitCode !== null) throw new Error(`no relay:\n${output.join('')}`);
    await new Promise((done) => setTimeout(done, 50));
  }
  // TCP of our own is off: the relay shall be the only way.
  writeFileSync(
    config,
    `[media]\ntcp = false\nturn_urls = ["turns:${host}:${port}?transport=tcp"]\nturn_secret = "${SECRET}"\n`,
  );
  const relay = {
    port,
    config,
    output: () => output.join(''),
    account: () => accountOfOutput('coturn', relay.output()),
    close: () => {
      witnesses.delete(relay);
      server.kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  witnesses.add(relay);
  return relay;
}
