/**
 * What the instances with a candidate and those without did since a stage began: differences of the totals in their
 * heartbeats, from the moment on at which each said that it obeys. One who restarts begins again; one who changes sides
 * counts for the new side from then on.
 */
import type { Traffic } from '../../proto/fleet-messages.ts';
import { type Bundle, obeysCandidate } from '../../proto/policy/bundle.ts';
import type { Refusal, RolloutFacts } from '../policy/rollout.ts';
import type { SideCounts } from '../policy/rollout-evidence.ts';
import type { InstanceRecord } from './instance-record.ts';

type Side = 'inbound' | 'outbound';
type Seen = Pick<RolloutFacts, 'chosen' | 'refused' | 'awaited' | 'inbound' | 'outbound' | 'observedMs'>;

interface Baseline {
  readonly incarnation: string;
  totals: Readonly<Record<Side, SideCounts | null>>;
}

class Sum {
  requests = 0;
  rejected = 0;
  succeeded = 0;
  failed = 0;

  add(after: SideCounts, before: SideCounts): void {
    this.requests += Math.max(0, after.requests - before.requests);
    this.rejected += Math.max(0, after.rejected - before.rejected);
    this.succeeded += Math.max(0, after.succeeded - before.succeeded);
    this.failed += Math.max(0, after.failed - before.failed);
  }
}

export class RolloutWatch {
  private readonly target: string;
  private hash = '';
  private sinceMs = 0;
  private readonly baselines = new Map<string, Baseline>();
  private sums = emptySums();

  constructor(target: string) {
    this.target = target;
  }

  /** `concerned`: the service's own and its callers' instances; bounded by the table that they come from. */
  look(bundle: Bundle, concerned: Iterable<InstanceRecord>, nowMs: number): Seen {
    if (bundle.hash !== this.hash) this.restart(bundle.hash, nowMs);
    const refused: Refusal[] = [];
    let chosen = 0;
    let awaited = 0;
    for (const record of concerned) {
      if (record.state(nowMs) !== 'live') continue;
      const isCandidate = obeysCandidate(bundle, record.heartbeat.identity.instance);
      const applied = record.applied.get(this.target);
      const isAbout = applied?.hash === bundle.hash;
      const obeys = isAbout && applied.status === 'applied';
      if (isCandidate) {
        chosen++;
        if (isAbout && applied.status === 'rejected')
          refused.push({ instance: record.key, message: applied.message || 'it does not say' });
        else if (!obeys) awaited++;
      }
      if (obeys) this.count(record, isCandidate);
    }
    const { candidate, stable } = this.sums;
    return {
      chosen,
      refused,
      awaited,
      inbound: { candidate: { ...candidate.inbound }, stable: { ...stable.inbound } },
      outbound: { candidate: { ...candidate.outbound }, stable: { ...stable.outbound } },
      observedMs: nowMs - this.sinceMs,
    };
  }

  private restart(hash: string, nowMs: number): void {
    this.hash = hash;
    this.sinceMs = nowMs;
    this.baselines.clear();
    this.sums = emptySums();
  }

  private count(record: InstanceRecord, isCandidate: boolean): void {
    const { incarnation } = record.heartbeat.identity;
    const totals = totalsOf(record, this.target);
    const known = this.baselines.get(record.key);
    if (known?.incarnation !== incarnation) {
      this.baselines.set(record.key, { incarnation, totals });
      return;
    }
    const group = isCandidate ? this.sums.candidate : this.sums.stable;
    for (const side of sides) {
      const [before, after] = [known.totals[side], totals[side]];
      if (before && after) group[side].add(after, before);
    }
    known.totals = totals;
  }
}

const sides = ['inbound', 'outbound'] as const;

const emptySums = () => ({
  candidate: { inbound: new Sum(), outbound: new Sum() },
  stable: { inbound: new Sum(), outbound: new Sum() },
});

/** Of the service's own instances what arrived, of its callers' what they sent to it. */
export function totalsOf(record: InstanceRecord, target: string): Record<Side, SideCounts | null> {
  const inbound = record.service === target ? record.inbound.series?.latest : undefined;
  const outbound = record.service === target ? undefined : record.outbound.get(target)?.latest;
  return { inbound: inbound ? countsOf(inbound) : null, outbound: outbound ? countsOf(outbound) : null };
}

function countsOf({ requests, success, failure, rejected }: Traffic): SideCounts {
  let refusals = 0;
  for (const reason in rejected) refusals += rejected[reason] ?? 0;
  return { requests, rejected: refusals, succeeded: success, failed: failure };
}

/** What all of them did over the last seconds; to be compared with when nobody is left without the candidate. */
export function recentCounts(
  concerned: Iterable<InstanceRecord>,
  target: string,
  nowMs: number,
): Record<Side, SideCounts> {
  const sums = { inbound: new Sum(), outbound: new Sum() };
  for (const record of concerned) {
    if (!record.isPresent(nowMs)) continue;
    const isOwn = record.service === target;
    const rates = (isOwn ? record.inbound.series : record.outbound.get(target))?.rates();
    if (!rates) continue;
    const sum = isOwn ? sums.inbound : sums.outbound;
    sum.requests += rates.requestsPerSecond * recentSeconds;
    sum.succeeded += rates.successPerSecond * recentSeconds;
    sum.failed += rates.failuresPerSecond * recentSeconds;
    for (const reason in rates.rejectedPerSecond)
      sum.rejected += (rates.rejectedPerSecond[reason] ?? 0) * recentSeconds;
  }
  return { inbound: rounded(sums.inbound), outbound: rounded(sums.outbound) };
}

/** As long as rates are over. */
const recentSeconds = 5;

const rounded = ({ requests, rejected, succeeded, failed }: SideCounts): SideCounts => ({
  requests: Math.round(requests),
  rejected: Math.round(rejected),
  succeeded: Math.round(succeeded),
  failed: Math.round(failed),
});
