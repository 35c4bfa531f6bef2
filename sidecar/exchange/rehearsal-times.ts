/**
 * How long the app takes in a rehearsal: for each path what it took for the requests of that path, in the order in which
 * they were recorded. Who gets to it may be others than then, but as many of them as then got there take as long.
 */
import type { RecordedTraffic } from './traffic-recording.ts';

const unknownMs = 1;

export interface ServiceTime {
  readonly serviceMs: number;
  readonly isFailed: boolean;
}

export class ServiceTimes {
  private readonly recorded: RecordedTraffic;
  private readonly byPath = new Map<string, { readonly indexes: number[]; at: number }>();
  private readonly all: number[] = [];
  private at = 0;

  constructor(recorded: RecordedTraffic) {
    this.recorded = recorded;
    for (const [index, serviceMs] of recorded.serviceMs.entries()) {
      if (Number.isNaN(serviceMs)) continue;
      this.all.push(index);
      const path = recorded.names[recorded.path[index]!] ?? '';
      const known = this.byPath.get(path);
      if (known) known.indexes.push(index);
      else this.byPath.set(path, { indexes: [index], at: 0 });
    }
  }

  /** Paths are served in the order of their recording, so that each takes about what it took then. */
  next(path: string): ServiceTime {
    const known = this.byPath.get(path);
    let index: number | undefined;
    if (known) index = known.indexes[known.at++ % known.indexes.length];
    else if (this.all.length > 0) index = this.all[this.at++ % this.all.length];
    if (index === undefined) return { serviceMs: unknownMs, isFailed: false };
    return { serviceMs: this.recorded.serviceMs[index]!, isFailed: this.recorded.isFailed[index] === 1 };
  }
}
