/** Counters of one peer, counted by several threads: a row for each seat, and their sum. */
import type { TrafficStats } from '../../exchange/traffic-stats.ts';

export class SummedTraffic {
  readonly rows: SharedArrayBuffer[];
  readonly total: TrafficStats;

  constructor(total: TrafficStats, rows: SharedArrayBuffer[]) {
    this.total = total;
    this.rows = rows;
  }
}
