/** Requests that are parked, and what becomes of those that are parked for the own service. */
import { Counter, Gauge, type Registry } from 'prom-client';
import { parkResultNames } from '../exchange/parker.ts';
import type { TrafficStats } from '../exchange/traffic-stats.ts';
import type { QueueCounts } from './queue/queue-consumer.ts';

export interface QueueReading {
  /** Content of requests that may be parked. */
  readonly memoryBytes: number;
  /** Of the own service: how much is parked, and how much of it dead; null = nothing is. */
  readonly stored: { readonly parked: number; readonly dead: number } | null;
  readonly service: string;
  /** By name of the queue. */
  readonly delivered: ReadonlyMap<string, QueueCounts>;
}

export function defineQueueMetrics(
  registry: Registry,
  traffic: () => Iterable<TrafficStats>,
  reading: () => QueueReading,
): void {
  const registers = [registry];
  new Counter({
    name: 'weir_parked_total',
    help: 'Requests that were to be parked, by what became of them; only those that are parked are not refused.',
    labelNames: ['upstream', 'result'],
    registers,
    collect() {
      this.reset();
      for (const { peer: upstream, parking } of traffic()) {
        for (const [i, result] of parkResultNames.entries()) {
          if (parking[i]! > 0) this.inc({ upstream, result }, parking[i]!);
        }
      }
    },
  });
  new Gauge({
    name: 'weir_parking_memory_bytes',
    help: 'Content kept for requests that may be parked.',
    registers,
    collect() {
      this.set(reading().memoryBytes);
    },
  });
  const gaugeOfStored = (
    name: string,
    help: string,
    pick: (stored: { parked: number; dead: number }) => number,
  ): void => {
    new Gauge({
      name,
      help,
      labelNames: ['service'],
      registers,
      collect() {
        this.reset();
        const { stored, service } = reading();
        if (stored !== null && pick(stored) >= 0) this.set({ service }, pick(stored));
      },
    });
  };
  gaugeOfStored(
    'weir_parked_messages',
    'Requests parked for the service, as all its sidecars see them.',
    ({ parked }) => parked,
  );
  gaugeOfStored('weir_dlq_messages', 'Dead letters of the service, as all its sidecars see them.', ({ dead }) => dead);
  new Counter({
    name: 'weir_deliveries_total',
    help: 'Messages of a queue that the app was given: done, again (failed, comes again), refused (no room now), unburied (a dead letter that could not be stored).',
    labelNames: ['queue', 'result'],
    registers,
    collect() {
      this.reset();
      for (const [queue, { done, again, refused, unburied }] of reading().delivered) {
        for (const [result, count] of Object.entries({ done, again, refused, unburied })) {
          this.inc({ queue, result }, count);
        }
      }
    },
  });
  new Counter({
    name: 'weir_dead_letters_total',
    help: 'Messages that became dead letters.',
    labelNames: ['queue', 'reason'],
    registers,
    collect() {
      this.reset();
      for (const [queue, { dead }] of reading().delivered) {
        for (const [reason, count] of Object.entries(dead)) if (count > 0) this.inc({ queue, reason }, count);
      }
    },
  });
}
