/** The plain verdict of the five-second test. */
export type NetworkVerdict = 'good' | 'fair' | 'poor' | 'blocked';

/** A measured network. */
export interface NetworkResult {
  verdict: NetworkVerdict;
  downMbit?: number;
  upMbit?: number;
  delayMs?: number;
}

const DOWN_MS = 2_000;
const UP_MS = 1_500;
const CHUNK_BYTES = 256 * 1_024;

/** Measures for about five seconds against our own server: delay, then down, then up. */
export async function measureNetwork(): Promise<NetworkResult> {
  try {
    const delayMs = await delay();
    const downMbit = await rate(DOWN_MS, download);
    const upMbit = await rate(UP_MS, upload);
    return { verdict: verdict(downMbit, upMbit, delayMs), downMbit, upMbit, delayMs };
  } catch {
    return { verdict: 'blocked' };
  }
}

/** Voice needs about 0.1 Mbit/s each way, a shared screen 0.5, a camera 1. */
function verdict(down: number, up: number, delayMs: number): NetworkVerdict {
  if (down >= 2 && up >= 1 && delayMs < 300) return 'good';
  return down >= 0.6 && up >= 0.25 && delayMs < 800 ? 'fair' : 'poor';
}

/** Median of five round trips. */
async function delay(): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < 5; i++) {
    const start = performance.now();
    await check('/api/check/ping');
    times.push(performance.now() - start);
  }
  return Math.round(times.sort((a, b) => a - b)[2] ?? 0);
}

/** Mbit/s of repeated transfers within a time. */
async function rate(ms: number, transfer: () => Promise<number>): Promise<number> {
  const start = performance.now();
  let bytes = 0;
  do bytes += await transfer();
  while (performance.now() - start < ms);
  return Math.round(((bytes * 8) / 1_000 / (performance.now() - start)) * 10) / 10;
}

async function download(): Promise<number> {
  const response = await check(`/api/check/download?bytes=${CHUNK_BYTES}`);
  return (await response.arrayBuffer()).byteLength;
}

async function upload(): Promise<number> {
  const body = new Uint8Array(CHUNK_BYTES / 4);
  for (let i = 0; i < body.length; i += 65_536) crypto.getRandomValues(body.subarray(i, i + 65_536));
  await check('/api/check/upload', { method: 'POST', body });
  return body.byteLength;
}

async function check(path: string, init?: RequestInit): Promise<Response> {
  const response = await fetch(path, { cache: 'no-store', signal: AbortSignal.timeout(5_000), ...init });
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return response;
}
