/** Traffic of one sidecar, or of many as one: rates are added, histograms merged, percentiles never averaged. */
import type { TrafficView } from '../../proto/api.ts';
import { histogramBuckets, quantileMs } from '../../proto/kernel/histogram.ts';
import type { CounterSeries } from './counter-series.ts';

export const unknownTraffic: TrafficView = {
  requestsPerSecond: null,
  successRatio: null,
  failuresPerSecond: null,
  rejectedPerSecond: {},
  p50Ms: null,
  p99Ms: null,
  inFlight: null,
  concurrencyLimit: null,
  queueDepth: null,
};

export function trafficView(all: Iterable<CounterSeries>, nowMs: number): TrafficView {
  const latencies = new Float64Array(histogramBuckets);
  const rejectedPerSecond: Record<string, number> = {};
  let requests: number | null = null;
  let success = 0;
  let failures = 0;
  let inFlight: number | null = null;
  let limit: number | null = null;
  let queued = 0;
  for (const series of all) {
    const { latest } = series;
    inFlight = (inFlight ?? 0) + latest.inFlight;
    queued += latest.queueDepth;
    // 0 is "no limit", and a sum with an unlimited part would mean nothing.
    if (latest.concurrencyLimit > 0) limit = (limit ?? 0) + latest.concurrencyLimit;
    series.addLatencies(latencies, nowMs);
    const rates = series.rates();
    if (!rates) continue;
    requests = (requests ?? 0) + rates.requestsPerSecond;
    success += rates.successPerSecond;
    failures += rates.failuresPerSecond;
    for (const [reason, rate] of Object.entries(rates.rejectedPerSecond)) {
      rejectedPerSecond[reason] = (rejectedPerSecond[reason] ?? 0) + rate;
    }
  }
  const finished = success + failures;
  const samples = latencies.reduce((sum, count) => sum + count, 0);
  return {
    requestsPerSecond: requests === null ? null : rounded(requests),
    successRatio: finished > 0 ? success / finished : null,
    failuresPerSecond: requests === null ? null : rounded(failures),
    rejectedPerSecond: Object.fromEntries(
      Object.entries(rejectedPerSecond).map(([name, rate]) => [name, rounded(rate)]),
    ),
    p50Ms: samples > 0 ? quantileMs(latencies, samples, 0.5) : null,
    p99Ms: samples > 0 ? quantileMs(latencies, samples, 0.99) : null,
    inFlight,
    concurrencyLimit: limit,
    queueDepth: inFlight === null ? null : queued,
  };
}

const rounded = (rate: number): number => Math.round(rate * 100) / 100;
