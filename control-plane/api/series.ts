/**
 * Prometheus series that are read at the scrape, as in the sidecar, which this side may not import: `fill` sets one value
 * for each set of labels, and those that it no longer sets are gone.
 */
import { Counter, Gauge, type Registry } from 'prom-client';

export interface Series {
  gauge<L extends string>(name: string, help: string, labelNames: readonly L[], fill: (into: Gauge<L>) => void): void;
  counter<L extends string>(
    name: string,
    help: string,
    labelNames: readonly L[],
    fill: (into: Counter<L>) => void,
  ): void;
}

export function seriesIn(registry: Registry): Series {
  const registers = [registry];
  return {
    gauge(name, help, labelNames, fill) {
      new Gauge({
        ...{ name, help, labelNames, registers },
        collect() {
          this.reset();
          fill(this);
        },
      });
    },
    counter(name, help, labelNames, fill) {
      new Counter({
        ...{ name, help, labelNames, registers },
        collect() {
          this.reset();
          fill(this);
        },
      });
    },
  };
}
