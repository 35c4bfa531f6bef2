/** Concurrency limits as Prometheus series, read at the scrape: the service's own (route "") and those that routes have. */
import { Gauge, type Registry } from 'prom-client';

export interface LimitReading {
  /** Empty for the service's own. */
  readonly route: string;
  /** 0 = none. */
  readonly limit: number;
  readonly inFlight: number;
  readonly longStreams: number;
  /** 0 = not known. */
  readonly baseRttMs: number;
}

export function defineConcurrencyMetrics(registry: Registry, read: () => Iterable<LimitReading>): void {
  const gauge = (name: string, help: string, of: (reading: LimitReading) => number): void => {
    new Gauge({
      name,
      help,
      labelNames: ['route'],
      registers: [registry],
      collect() {
        this.reset();
        for (const reading of read()) this.set({ route: reading.route }, of(reading));
      },
    });
  };
  gauge('weir_concurrency_limit', 'Requests the app gets at once, as it is now; 0 = no limit.', ({ limit }) => limit);
  gauge(
    'weir_concurrency_in_flight',
    'Permits taken: requests in the app, those included that nobody waits for any longer.',
    ({ inFlight }) => inFlight,
  );
  gauge('weir_concurrency_streams', 'Long streams beside the limit.', ({ longStreams }) => longStreams);
  gauge(
    'weir_concurrency_min_rtt_seconds',
    'Time to the first of an answer while the app is not kept waiting, as the limit found it; 0 = not known.',
    ({ baseRttMs }) => baseRttMs / 1000,
  );
}
