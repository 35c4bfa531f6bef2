/**
 * One timed run: what the proxy's process has cost between two moments, and how many requests were answered between
 * them. Whatever reads logs or computes percentiles does so outside of those two moments.
 */
import type { LoadCase } from './cases.ts';
import { type Rig, runForP99, runGenerator } from './generators.ts';
import type { LoadResult } from './h2load.ts';
import { coreTimes, processCpuMs, processRssMb } from './process-stat.ts';
import type { RunningProxy } from './proxy-kind.ts';

const rssSampleMs = 250;
const mega = 1e6;
/** The bucket of the refusing policy holds one, and a second more than the run's may begin in it. */
const refusalsSlack = 3;
/** Less than this share of a fixed rate is another rate. */
const rateShareMin = 0.98;

export interface Measure {
  readonly cpuUsPerRequest: number;
  readonly cpuUsPerMb: number;
  readonly rps: number;
  readonly mbPerS: number;
  readonly meanUs: number;
  /** NaN where it was not asked for. */
  readonly p99Us: number;
  /** The most that was seen during the run. */
  readonly rssMb: number;
  /** Requests with another end than the case is about. */
  readonly failures: number;
  readonly requests: number;
  /** Share of the proxy's core that was busy, 0..1; null when nothing is pinned, or the rate is fixed. */
  readonly coreBusy: number | null;
  /** Share of the proxy's core that other processes took, interrupts left out, 0..1. */
  readonly othersBusy: number;
  /** Of the rate the case fixes, the share that was reached; null where it fixes none. */
  readonly rateShare: number | null;
}

interface Sample {
  readonly atMs: number;
  readonly cpuMs: number;
  readonly busyMs: number;
  readonly interruptMs: number;
}

function sample(rig: Rig, proxy: RunningProxy): Sample {
  const core = rig.cores.proxy === null ? { busyMs: 0, interruptMs: 0 } : coreTimes(rig.cores.proxy);
  return { atMs: performance.now(), cpuMs: processCpuMs(proxy.child.pid), ...core };
}

export async function measure(
  rig: Rig,
  bench: LoadCase,
  proxy: RunningProxy,
  options: { readonly seconds: number; readonly withP99: boolean },
): Promise<Measure> {
  const { seconds } = options;
  const rss = new RssWatch(proxy.child.pid);
  const run = runGenerator(rig, bench, proxy, seconds, () => sample(rig, proxy));
  const { before, after, result } = await run.finally(() => rss.stop());
  const { requests, failures } = countAnswers(bench, result, seconds);
  const fixedRps = bench.load.kind === 'unique' ? bench.load.rps : null;
  const cpuMs = after.cpuMs - before.cpuMs;
  const busyMs = after.busyMs - before.busyMs;
  const interruptMs = after.interruptMs - before.interruptMs;
  const wallMs = after.atMs - before.atMs;
  const isPinned = rig.cores.proxy !== null;
  const megabytes = result.bytes / mega;
  return {
    cpuUsPerRequest: (cpuMs * 1000) / requests,
    cpuUsPerMb: (cpuMs * 1000) / megabytes,
    rps: requests / seconds,
    mbPerS: megabytes / seconds,
    meanUs: result.meanUs,
    p99Us: result.p99Us ?? (options.withP99 ? await runForP99(rig, bench, proxy, seconds) : Number.NaN),
    rssMb: rss.mostMb,
    failures,
    requests,
    coreBusy: isPinned && fixedRps === null ? Math.min(1, busyMs / wallMs) : null,
    othersBusy: isPinned ? Math.max(0, (busyMs - interruptMs - cpuMs) / wallMs) : 0,
    rateShare: fixedRps === null ? null : requests / seconds / fixedRps,
  };
}

/** What a case is about, and what is a failure in it: in `rejections` it is the admitted ones that should not be. */
export function countAnswers(
  bench: LoadCase,
  result: LoadResult,
  seconds: number,
): { requests: number; failures: number } {
  const { requests, refusals, failures } = result;
  if (!bench.setting.refuses) return { requests, failures: failures + refusals };
  const admittedMax = seconds + refusalsSlack;
  return { requests: refusals, failures: failures + (requests > admittedMax ? requests : 0) };
}

/** Why a run says nothing about its case, or null: an answer that was not wanted is often the cheapest. */
export function faultOf({ failures, requests, rateShare }: Measure): string | null {
  if (failures > 0) return `${failures} of ${requests + failures} requests FAILED`;
  if (requests === 0) return 'no request was answered';
  if (rateShare !== null && rateShare < rateShareMin) return `only ${Math.round(rateShare * 100)} % of the rate`;
  return null;
}

/** The most resident memory while a run is on: after it, connections are closed and their memory may be gone. */
export class RssWatch {
  mostMb = 0;
  private readonly pid: number;
  private readonly timer: NodeJS.Timeout;

  constructor(pid: number) {
    this.pid = pid;
    this.timer = setInterval(() => this.look(), rssSampleMs);
    this.look();
  }

  stop(): void {
    clearInterval(this.timer);
    this.look();
  }

  private look(): void {
    try {
      this.mostMb = Math.max(this.mostMb, processRssMb(this.pid));
    } catch {
      // It has ended; whoever drives it will notice.
    }
  }
}
