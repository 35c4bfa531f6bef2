/** What the pool's connections went through since the start. */
export interface PoolCounts {
  /** Connections that came to carry requests. */
  connected: number;
  /** Attempts that came to nothing. */
  failed: number;
  /** Connections that ended without a word: neither GOAWAY nor of our own will. */
  lost: number;
  /** Requests for which there was no room in number or time. */
  refused: number;
}

export function noCounts(): PoolCounts {
  return { connected: 0, failed: 0, lost: 0, refused: 0 };
}

export function sumCounts(all: readonly Readonly<PoolCounts>[]): PoolCounts {
  const sum = noCounts();
  for (const { connected, failed, lost, refused } of all) {
    sum.connected += connected;
    sum.failed += failed;
    sum.lost += lost;
    sum.refused += refused;
  }
  return sum;
}
