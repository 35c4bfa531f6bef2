/** What several sidecars found in their rehearsals of a policy, as one: requests are added, shares come from the sums. */
import type { ImpactView } from '../../proto/api-impact.ts';
import type { Rehearsed, RejectedOf } from '../../proto/rehearsal.ts';

export interface Answers {
  readonly rehearsed: readonly Rehearsed[];
  readonly silent: readonly { readonly instance: string; readonly message: string }[];
}

const routesMax = 20;
const caveatsMax = 20;

export function impactOf(target: string, { rehearsed, silent }: Answers): ImpactView {
  const tally: { requests: number; rejected: number } = { requests: 0, rejected: 0 };
  const byReason: Record<string, number> = {};
  const recordedByReason: Record<string, number> = {};
  const byTier = new Map<string, RejectedOf>();
  const routes = new Map<string, RejectedOf>();
  const caveats = new Set<string>();
  let seconds = 0;
  let recordedRejected = 0;
  for (const one of rehearsed) {
    tally.requests += one.requests;
    tally.rejected += one.rejected;
    recordedRejected += one.recordedRejected;
    seconds = Math.max(seconds, one.seconds);
    addCounts(byReason, one.byReason);
    addCounts(recordedByReason, one.recordedByReason);
    for (const [tier, counts] of Object.entries(one.byTier)) addTally(byTier, tier, counts);
    for (const { route, ...counts } of one.routes) addTally(routes, route, counts);
    for (const caveat of one.caveats) caveats.add(caveat);
  }
  const worst = [...routes].sort(([, a], [, b]) => b.rejected - a.rejected || b.requests - a.requests);
  const view = {
    target,
    answered: rehearsed.length,
    silent: [...silent],
    ...tally,
    rejectedShare: tally.requests > 0 ? tally.rejected / tally.requests : null,
    seconds,
    byReason,
    byTier: Object.fromEntries(byTier),
    routes: worst.slice(0, routesMax).map(([route, counts]) => ({ route, ...counts })),
    recordedRejected,
    recordedByReason,
    caveats: [...caveats].slice(0, caveatsMax),
  };
  return { ...view, summary: summaryOf(view) };
}

/** `would have rejected 3.1 % of 12000 requests; low 9.0 %, high 0.0 %; then it were 0.0 %` */
function summaryOf({ requests, rejected, byTier, recordedRejected }: Omit<ImpactView, 'summary'>): string {
  if (requests === 0) return 'nobody knows: no traffic was recorded';
  const share = (count: number, of: number): string => `${((100 * count) / Math.max(1, of)).toFixed(1)} %`;
  const tiers = Object.entries(byTier);
  const parts = [`would have rejected ${share(rejected, requests)} of ${requests} requests`];
  if (tiers.length > 1)
    parts.push(tiers.map(([tier, one]) => `${tier} ${share(one.rejected, one.requests)}`).join(', '));
  parts.push(`${share(recordedRejected, requests)} were rejected at the time`);
  return parts.join('; ');
}

function addCounts(sums: Record<string, number>, counts: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(counts)) sums[name] = (sums[name] ?? 0) + count;
}

function addTally(sums: Map<string, RejectedOf>, name: string, { requests, rejected }: RejectedOf): void {
  const known = sums.get(name);
  sums.set(name, { requests: (known?.requests ?? 0) + requests, rejected: (known?.rejected ?? 0) + rejected });
}
