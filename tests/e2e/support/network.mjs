// A network namespace with one address of its own, where losses and a change of network can be made. Nothing outside sees it.
import { execFileSync, spawnSync } from 'node:child_process';

const CABLE = 'cable';

export function isInside() {
  return process.env.QISM_NAMESPACE === '1';
}

/** What this machine lacks for it, in words; `undefined` when nothing. */
export function missingForNamespaces() {
  if (process.getuid?.() !== 0) return 'root';
  const lacks = ['unshare', 'ip', 'nft'].find((tool) => spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0);
  if (lacks) return lacks;
  return spawnSync('unshare', ['-n', 'true']).status === 0 ? undefined : 'network namespaces';
}

function ip(command) {
  execFileSync('ip', command.split(' '));
}

/** Chromium gathers no candidates on loopback alone: one end of an unused cable has an address. */
export function openCable(address = '10.77.0.1/24') {
  for (const command of ['link set lo up', `link add ${CABLE} type veth peer name end`, `link set ${CABLE} up`, 'link set end up']) ip(command);
  ip(`addr add ${address} dev ${CABLE}`);
}

/** As when a phone goes from Wi-Fi to mobile data: the old address is gone, another one is there. */
export function moveTo(address) {
  ip(`addr flush dev ${CABLE}`);
  ip(`addr add ${address} dev ${CABLE}`);
}

/** Drops so many percent of all UDP datagrams, in both directions. */
export function lose(percent) {
  execFileSync('nft', ['flush', 'ruleset']);
  if (percent === 0) return;
  const chain = 'type filter hook input priority 0;';
  const drop = `meta l4proto udp numgen random mod 100 < ${percent} drop`;
  execFileSync('nft', ['-f', '-'], { input: `table inet loss {\nchain in {\n${chain}\n${drop}\n}\n}\n` });
}
