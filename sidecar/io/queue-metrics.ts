/** Requests that are parked, and what becomes of those that are parked for the own service. */
import type { Registry } from 'prom-client';
import { parkResultNames } from '../exchange/parker.ts';
import type { TrafficStats } from '../exchange/traffic-stats.ts';
import type { QueueCounts } from './queue/queue-consumer.ts';
import { seriesIn } from './series.ts';

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
  const { gauge, counter } = seriesIn(registry);
  counter(
    'weir_parked_total',
    'Requests that were to be parked, by what became of them; only those that are parked are not refused.',
    ['upstream', 'result'],
    (into) => {
      for (const { peer: upstream, parking } of traffic()) {
        for (const [i, result] of parkResultNames.entries()) {
          if (parking[i]! > 0) into.inc({ upstream, result }, parking[i]!);
        }
      }
    },
  );
  gauge('weir_parking_memory_bytes', 'Content kept for requests that may be parked.', [], (into) =>
    into.set(reading().memoryBytes),
  );
  const stored = (name: string, help: string, pick: (of: { parked: number; dead: number }) => number): void =>
    gauge(name, help, ['service'], (into) => {
      const now = reading();
      if (now.stored !== null && pick(now.stored) >= 0) into.set({ service: now.service }, pick(now.stored));
    });
  stored(
    'weir_parked_messages',
    'Requests parked for the service, as all its sidecars see them.',
    ({ parked }) => parked,
  );
  stored('weir_dlq_messages', 'Dead letters of the service, as all its sidecars see them.', ({ dead }) => dead);
  counter(
    'weir_deliveries_total',
    'Messages of a queue that the app was given: done, again (failed, comes again), refused (no room now), unburied (a dead letter that could not be stored).',
    ['queue', 'result'],
    (into) => {
      for (const [queue, { done, again, refused, unburied }] of reading().delivered) {
        for (const [result, count] of Object.entries({ done, again, refused, unburied })) {
          into.inc({ queue, result }, count);
        }
      }
    },
  );
  counter('weir_dead_letters_total', 'Messages that became dead letters.', ['queue', 'reason'], (into) => {
    for (const [queue, { dead }] of reading().delivered) {
      for (const [reason, count] of Object.entries(dead)) if (count > 0) into.inc({ queue, reason }, count);
    }
  });
}
