/** Counts the bytes of a connection by its candidate pairs, over connections that come and go. */
export class Traffic {
  readonly #last = new Map<string, number>();
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  add(leg: string, report: RTCStatsReport | undefined): void {
    report?.forEach((entry: RTCStats & { bytesReceived?: number; bytesSent?: number }) => {
      if (entry.type !== 'candidate-pair') return;
      const key = `${leg} ${entry.id}`;
      const now = (entry.bytesReceived ?? 0) + (entry.bytesSent ?? 0);
      const before = this.#last.get(key) ?? 0;
      this.#bytes += Math.max(0, now - before);
      this.#last.set(key, now);
    });
  }
}
