// A network namespace with one address of its own, where losses and a change of network can be made. Nothing outside sees it.
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const CABLE = 'cable';

export function isInside() {
  return process.env.QISM_NAMESPACE === '1';
}

/** What this machine lacks for it, in words; `undefined` when nothing. */
export function missingForNamespaces() {
  if (process.getuid?.() !== 0) return 'root';
  const lacks = ['unshare', 'ip', 'nft', 'python3'].find(
    (tool) => spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0,
  );
  if (lacks) return lacks;
  return spawnSync('unshare', ['-n', 'true']).status === 0 ? undefined : 'network namespaces';
}

/** A run of its own may take so long; the one around it cannot end it. */
const PATIENCE_MS = 600_000;

/** Runs the tests of a file in a network namespace of their own, as one test of this process; `tests` of them must pass. */
export function inNamespace(title, file, tests, define) {
  if (isInside()) return describe(title, { concurrency: false }, define);
  const missing = missingForNamespaces();
  return test(title, { skip: missing && `needs ${missing}` }, () => {
    const { NODE_TEST_CONTEXT: _, ...env } = process.env; // a test run of its own
    const reporters = Object.entries({ tap: 'stdout', [new URL('failures.mjs', import.meta.url)]: 'stderr' });
    const options = reporters.flatMap(([reporter, to]) => [
      `--test-reporter=${reporter}`,
      `--test-reporter-destination=${to}`,
    ]);
    const run = ['--test', `--test-timeout=${PATIENCE_MS}`, ...options, fileURLToPath(file)];
    const again = spawnSync('unshare', ['-n', process.execPath, ...run], {
      env: { ...env, QISM_NAMESPACE: '1' },
      encoding: 'utf8',
      maxBuffer: 64 << 20,
    });
    // What failed first, in its own words; then all that was said.
    const told = [again.error?.message, again.stderr, again.stdout].filter(Boolean).join('\n');
    assert.equal(again.status, 0, told);
    assert.match(again.stdout, new RegExp(`^# pass ${tests}$`, 'm'));
  });
}

function ip(command) {
  execFileSync('ip', command.split(' '));
}

/**
 * Before it is up: this device gives itself no address. A link-local one of IPv6 becomes usable some seconds later, and then Chromium
 * gives up whatever it is just loading (ERR_NETWORK_CHANGED).
 */
const withoutOwnAddress = (device) => `link set ${device} addrgenmode none`;

/** Chromium gathers no candidates on loopback alone: one end of an unused cable has an address. */
export function openCable(address = '10.77.0.1/24') {
  for (const command of [
    'link set lo up',
    `link add ${CABLE} type veth peer name end`,
    withoutOwnAddress(CABLE),
    withoutOwnAddress('end'),
    `link set ${CABLE} up`,
    'link set end up',
  ])
    ip(command);
  // An address of IPv6 is usable at once only without the search for a duplicate.
  ip(`addr add ${address} dev ${CABLE}${address.includes(':') ? ' nodad' : ''}`);
  // As a phone that goes over to another network while it has both: the browser is never without one.
  ip('addr add fe80::1/64 dev end nodad');
}

/** As when a phone goes from Wi-Fi to mobile data: the old address is gone, another one is there. */
export function moveTo(address) {
  ip(`addr flush dev ${CABLE}`);
  ip(`addr add ${address} dev ${CABLE}`);
}

/** The kernel's rule that loses so many percent of UDP; its dice know no *always*. */
function dropped(percent) {
  const dice = percent < 100 ? `numgen random mod 1000 < ${Math.round(percent * 10)} ` : '';
  return `meta l4proto udp ${dice}drop`;
}

/** Drops so many percent of all UDP datagrams, in both directions. */
export function lose(percent) {
  execFileSync('nft', ['flush', 'ruleset']);
  if (percent === 0) return;
  const chain = 'type filter hook input priority 0;';
  const drop = dropped(percent);
  execFileSync('nft', ['-f', '-'], { input: `table inet loss {\nchain in {\n${chain}\n${drop}\n}\n}\n` });
}

/** Lets nothing at all through in this namespace, until something else is asked of it. */
export function cut() {
  execFileSync('nft', ['-f', '-'], {
    input: 'table inet cut {\nchain in {\ntype filter hook input priority 0; policy drop;\n}\n}\n',
  });
}

/** Runs in the far namespace: what its own loopback is asked goes on to the server at the near end of the cable. */
const FORWARD = `const net = require('node:net'); const [port, host] = process.argv.slice(1);
net.createServer((a) => { const b = net.connect(Number(port), host); a.pipe(b); b.pipe(a); for (const s of [a, b]) s.setNoDelay(true).on('error', () => { a.destroy(); b.destroy(); }); }).listen(Number(port), '127.0.0.1');`;

/** What a cable of our own is like until told otherwise, see cable.py. */
const PLAIN = { delay_ms: 0, jitter_ms: 0, kbps: 0, queue_ms: 300, loss_percent: 0 };

/** Lays a cable of our own between here and the namespace of a process: one that the kernel cannot make, with delay. */
function layCable(pid) {
  const cable = spawn('python3', [fileURLToPath(new URL('cable.py', import.meta.url)), CABLE, 'end', String(pid)], {
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  for (
    let tries = 0;
    spawnSync('nsenter', [`--net=/proc/${pid}/ns/net`, 'ip', 'link', 'show', 'end']).status !== 0;
    tries += 1
  ) {
    if (tries > 200 || cable.exitCode !== null) throw new Error('no cable of our own');
    spawnSync('sleep', ['0.02']);
  }
  return cable;
}

/**
 * A second namespace at the far end of the cable, for one participant with a link of their own; to be opened before the server, which looks at
 * its addresses once. `browser` is a Chromium in it. After `reach(port)` the server is at the same address of its loopback (a secure
 * context); its media come over the cable. With `slow` the cable is one of our own, which `be` gives a delay, a bandwidth, losses.
 */
export function openFarEnd(chromium, { slow = false } = {}) {
  const far = spawn('unshare', ['-n', 'sleep', 'infinity'], { stdio: 'ignore' });
  const net = `--net=/proc/${far.pid}/ns/net`;
  for (
    let tries = 0;
    spawnSync('sh', ['-c', `test "$(readlink /proc/${far.pid}/ns/net)" != "$(readlink /proc/self/ns/net)"`]).status !==
    0;
    tries += 1
  ) {
    if (tries > 200) throw new Error('no second namespace');
    spawnSync('sleep', ['0.02']);
  }
  ip('link set lo up');
  const cable = slow ? layCable(far.pid) : undefined;
  if (!slow)
    for (const command of [`link add ${CABLE} type veth peer name end`, `link set end netns ${far.pid}`]) ip(command);
  for (const command of [
    withoutOwnAddress(CABLE),
    `addr add 10.77.0.1/24 dev ${CABLE}`,
    `link set ${CABLE} up`,
    // Firefox knows only the addresses on its way to the rest of the world.
    `route add default dev ${CABLE}`,
  ])
    ip(command);
  for (const command of ['link set lo up', withoutOwnAddress('end'), 'addr add 10.77.0.2/24 dev end', 'link set end up'])
    execFileSync('nsenter', [net, 'ip', ...command.split(' ')]);
  const folder = mkdtempSync(join(tmpdir(), 'qism-far-'));
  /** A program that runs there. */
  const inside = (program) => {
    const path = join(folder, basename(program));
    writeFileSync(path, `#!/bin/sh\nexec nsenter ${net} ${program} "$@"\n`, { mode: 0o755 });
    return path;
  };
  const started = cable ? [far, cable] : [far];
  const quietly = { stdio: 'ignore' };
  return {
    browser: inside(chromium),
    /** Starts this program, or another one, there. */
    start: (program, args, options) => {
      const child = spawn('nsenter', [net, program, ...args], options);
      started.push(child);
      return child;
    },
    /** Lets so many kbit/s through in each direction, with a queue of 300 ms that drops what does not fit; 0 is as wide as it comes. */
    narrow: (kbps) => {
      spawnSync('tc', ['qdisc', 'del', 'dev', CABLE, 'root'], quietly);
      spawnSync('nsenter', [net, 'tc', 'qdisc', 'del', 'dev', 'end', 'root'], quietly);
      if (kbps === 0) return;
      const bucket = ['root', 'tbf', 'rate', `${kbps}kbit`, 'burst', '1600', 'latency', '300ms'];
      execFileSync('tc', ['qdisc', 'add', 'dev', CABLE, ...bucket]);
      execFileSync('nsenter', [net, 'tc', 'qdisc', 'add', 'dev', 'end', ...bucket]);
    },
    /** Changes a slow cable, both ways: milliseconds one way, kbit/s, percent lost of everything; what is not told is as it was at first. */
    be: (nature) => cable.stdin.write(`${JSON.stringify({ ...PLAIN, ...nature })}\n`),
    /** As when a phone goes from Wi-Fi to mobile data: 10.77.0.`last` is its only address from now on. */
    move: (last) => {
      for (const command of ['ip addr flush dev end', `ip addr add 10.77.0.${last}/24 dev end`])
        execFileSync('nsenter', [net, ...command.split(' ')]);
    },
    reach: (port) =>
      started.push(
        spawn('nsenter', [net, process.execPath, '-e', FORWARD, String(port), '10.77.0.1'], { stdio: 'inherit' }),
      ),
    close: () => {
      started.forEach((child) => child.kill());
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** From the far end only these TCP ports can be reached. */
export function letThroughOnly(ports) {
  const rules = [`iifname "${CABLE}" tcp dport { ${ports.join(', ')} } accept`, `iifname "${CABLE}" drop`];
  execFileSync('nft', ['flush', 'ruleset']);
  execFileSync('nft', ['-f', '-'], {
    input: `table inet wall {\nchain in {\ntype filter hook input priority 0;\n${rules.join('\n')}\n}\n}\n`,
  });
}

/** Drops so many percent of the UDP datagrams on the cable, in each direction. */
export function loseOnCable(percent) {
  execFileSync('nft', ['flush', 'ruleset']);
  if (percent === 0) return;
  const drop = dropped(percent);
  const chain = (hook, side) =>
    `chain ${hook} {\ntype filter hook ${hook} priority 0;\n${side} "${CABLE}" ${drop}\n}\n`;
  execFileSync('nft', ['-f', '-'], {
    input: `table inet loss {\n${chain('input', 'iifname')}${chain('output', 'oifname')}}\n`,
  });
}
