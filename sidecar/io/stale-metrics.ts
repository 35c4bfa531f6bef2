/** What caches of last good answers hold, by service: read in each thread, and summed. */
import type { Registry } from 'prom-client';
import type { StaleAnswers } from '../resilience/stale-answers.ts';
import { seriesIn } from './series.ts';

export interface StaleReading {
  readonly upstream: string;
  readonly entries: number;
  readonly bytes: number;
}

/** Of one service; empty where it has no cache. */
export function staleReading(upstream: string, caches: Iterable<StaleAnswers>): StaleReading[] {
  return sumStale(Array.from(caches, ({ entries, bytes }) => ({ upstream, entries, bytes })));
}

/** Each thread, and each route that has one, has a cache of its own. */
export function sumStale(all: readonly StaleReading[]): StaleReading[] {
  const byUpstream = new Map<string, StaleReading>();
  for (const { upstream, entries, bytes } of all) {
    const known = byUpstream.get(upstream);
    byUpstream.set(upstream, {
      upstream,
      entries: entries + (known?.entries ?? 0),
      bytes: bytes + (known?.bytes ?? 0),
    });
  }
  return [...byUpstream.values()];
}

export function defineStaleMetrics(registry: Registry, read: () => Iterable<StaleReading>): void {
  const series = seriesIn(registry);
  const gauge = (name: string, help: string, of: (reading: StaleReading) => number): void =>
    series.gauge(name, help, ['upstream'], (into) => {
      for (const reading of read()) into.set({ upstream: reading.upstream }, of(reading));
    });
  gauge('weir_stale_answers', 'Last good answers that are kept for when a service has none.', ({ entries }) => entries);
  gauge('weir_stale_answers_bytes', 'What they hold, in bytes.', ({ bytes }) => bytes);
}
