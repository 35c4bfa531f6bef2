/**
 * What a data plane says of itself at any moment, as plain data that crosses threads, and how the readings of several
 * threads become one. Whoever adds a reading says here how it is summed.
 */
import { type FlowReading, sumFlow } from '../http2/flow-view.ts';
import { type PriorityReading, sumPriorities } from './priority-metrics.ts';
import { type StaleReading, sumStale } from './stale-metrics.ts';
import { sumReadings as sumOfTls, type TlsReading } from './tls/tls-stats.ts';
import type { EndpointView } from './upstream/endpoint-connections.ts';
import { type EndpointHealthReading, worstHealth } from './upstream/endpoint-health.ts';
import { type PoolCounts, sumCounts } from './upstream/pool-counts.ts';

export interface OverloadReading {
  /** The share of new requests that is refused, 0..1. */
  readonly shedShare: number;
  readonly cause: string;
  /** Heap in use, of what it may be. */
  readonly heapShare: number;
}

export interface PlaneReadings {
  readonly connections: number;
  /** Inbound ones over HTTP/2: those that a drain waits for. */
  readonly drainingConnections: number;
  readonly streams: number;
  readonly bufferedBytes: number;
  /** Of the pool, by address. */
  readonly upstreamConnections: readonly EndpointView[];
  readonly poolCounts: Readonly<PoolCounts>;
  readonly endpointHealth: readonly EndpointHealthReading[];
  readonly loopLagMs: number;
  /** How much the proxy sheds to save itself. */
  readonly overload: OverloadReading;
  readonly flow: FlowReading;
  readonly priorities: PriorityReading;
  /** By service that has a cache of last good answers. */
  readonly stale: readonly StaleReading[];
  /** How often peers ran into bounds of the HTTP/2 engine, by `Limit` code. */
  readonly limitTrips: Float64Array;
  /** Handshakes, PROXY headers and certificates; null before it listens. */
  readonly tls: TlsReading | null;
}

export function readingsOf(plane: PlaneReadings): PlaneReadings {
  const { connections, drainingConnections, streams, bufferedBytes, upstreamConnections, endpointHealth } = plane;
  const { poolCounts, loopLagMs, overload, flow, priorities, stale, limitTrips, tls } = plane;
  return {
    connections,
    drainingConnections,
    streams,
    bufferedBytes,
    upstreamConnections,
    poolCounts,
    endpointHealth,
    loopLagMs,
    overload,
    flow,
    priorities,
    stale,
    limitTrips,
    tls,
  };
}

const noOverload: OverloadReading = { shedShare: 0, cause: '', heapShare: 0 };

/** A thread is gone: its counters stay, what only existed in it does not. */
export function countersOf(readings: PlaneReadings): PlaneReadings {
  return {
    ...readings,
    connections: 0,
    drainingConnections: 0,
    streams: 0,
    bufferedBytes: 0,
    upstreamConnections: [],
    endpointHealth: [],
    stale: [],
    loopLagMs: 0,
    overload: noOverload,
    flow: { ...readings.flow, usedBytes: 0, peakBytes: 0, capBytes: 0, promisedBytes: 0 },
  };
}

/** Amounts add up; for the state of a loop or a heap, the worst thread speaks. */
export function sumOf(all: readonly PlaneReadings[]): PlaneReadings {
  const sum = (pick: (one: PlaneReadings) => number): number => all.reduce((total, one) => total + pick(one), 0);
  const limitTrips = new Float64Array(Math.max(0, ...all.map((one) => one.limitTrips.length)));
  for (const one of all) for (const [i, count] of one.limitTrips.entries()) limitTrips[i]! += count;
  const tls = all.flatMap((one) => one.tls ?? []);
  return {
    connections: sum((one) => one.connections),
    drainingConnections: sum((one) => one.drainingConnections),
    streams: sum((one) => one.streams),
    bufferedBytes: sum((one) => one.bufferedBytes),
    upstreamConnections: sumOfPools(all.flatMap((one) => one.upstreamConnections)),
    poolCounts: sumCounts(all.map((one) => one.poolCounts)),
    endpointHealth: worstHealth(all.flatMap((one) => one.endpointHealth)),
    loopLagMs: Math.max(0, ...all.map((one) => one.loopLagMs)),
    overload: all.reduce((worst, { overload }) => worse(worst, overload), noOverload),
    flow: sumFlow(all.map((one) => one.flow)),
    priorities: sumPriorities(all.map((one) => one.priorities)),
    stale: sumStale(all.flatMap((one) => one.stale)),
    limitTrips,
    tls: tls.length === 0 ? null : sumOfTls(tls),
  };
}

function worse(a: OverloadReading, b: OverloadReading): OverloadReading {
  const worst = b.shedShare > a.shedShare ? b : a;
  return { ...worst, heapShare: Math.max(a.heapShare, b.heapShare) };
}

function sumOfPools(all: readonly EndpointView[]): EndpointView[] {
  const byAddress = new Map<string, EndpointView>();
  for (const view of all) {
    const known = byAddress.get(view.address);
    if (known === undefined) byAddress.set(view.address, view);
    else {
      byAddress.set(view.address, {
        address: view.address,
        connections: known.connections + view.connections,
        dialling: known.dialling + view.dialling,
        leaving: known.leaving + view.leaving,
        streams: known.streams + view.streams,
        waiting: known.waiting + view.waiting,
        failure: known.failure || view.failure,
      });
    }
  }
  return [...byAddress.values()];
}
