/**
 * Whether the instances with the candidate do clearly worse than those without. Two shares are compared: what is rejected
 * of all requests, and what failed of those that reached the app. "Clearly" is when the Wilson intervals (z = 3.5, for
 * the question is asked again and again) lie apart by more than the tolerance: a few unlucky requests are no evidence,
 * and with little traffic there is none at all. Compared are instances at the same time; when nobody is left without the
 * candidate, with what they did before.
 */

/** By how many percent points the candidate may be worse before it is taken back; 100: never for that. */
export interface Tolerance {
  readonly rejectedPoints: number;
  readonly failedPoints: number;
}

/** What some instances did with requests, since a moment. */
export interface SideCounts {
  /** Rejected ones included. */
  readonly requests: number;
  readonly rejected: number;
  readonly succeeded: number;
  readonly failed: number;
}

export interface Comparison {
  readonly candidate: SideCounts;
  readonly stable: SideCounts;
}

/** Kept with the rollout that it ended. */
export interface Evidence {
  readonly side: 'inbound' | 'outbound';
  readonly measure: 'rejected' | 'failed';
  readonly candidate: Share;
  readonly compared: Share;
  readonly comparedWith: 'stable' | 'before';
  readonly text: string;
}

export interface Share {
  readonly count: number;
  readonly of: number;
}

/** Fewer say nothing. */
export const samplesMin = 20;
const z = 3.5;

export const noCounts: SideCounts = { requests: 0, rejected: 0, succeeded: 0, failed: 0 };

type Sides<T> = Readonly<Record<'inbound' | 'outbound', T>>;

export function harmIn(seen: Sides<Comparison>, before: Sides<SideCounts>, tolerance: Tolerance): Evidence[] {
  const found: Evidence[] = [];
  for (const side of ['inbound', 'outbound'] as const) {
    const { candidate, stable } = seen[side];
    for (const { measure, share, points } of measures(tolerance)) {
      const now = share(candidate);
      const hasStable = share(stable).of >= samplesMin;
      const compared = share(hasStable ? stable : before[side]);
      if (!isClearlyMore(now, compared, points / 100)) continue;
      const comparedWith = hasStable ? ('stable' as const) : ('before' as const);
      const evidence = { side, measure, candidate: now, compared, comparedWith };
      found.push({ ...evidence, text: wordsOf(evidence) });
    }
  }
  return found;
}

function measures(tolerance: Tolerance) {
  return [
    {
      measure: 'rejected' as const,
      points: tolerance.rejectedPoints,
      share: ({ rejected, requests }: SideCounts): Share => ({ count: Math.min(rejected, requests), of: requests }),
    },
    {
      measure: 'failed' as const,
      points: tolerance.failedPoints,
      share: ({ failed, succeeded }: SideCounts): Share => ({ count: failed, of: failed + succeeded }),
    },
  ];
}

export function isClearlyMore(now: Share, compared: Share, margin: number): boolean {
  if (now.of < samplesMin || compared.of < samplesMin) return false;
  return wilson(now).low > wilson(compared).high + margin;
}

/** The score interval of a share (Wilson 1927): honest also for few samples and for shares near 0 and 1. */
function wilson({ count, of }: Share): { readonly low: number; readonly high: number } {
  const share = count / of;
  const centre = share + (z * z) / (2 * of);
  const half = z * Math.sqrt((share * (1 - share)) / of + (z * z) / (4 * of * of));
  const scale = 1 + (z * z) / of;
  return { low: (centre - half) / scale, high: (centre + half) / scale };
}

/** `instances with the candidate reject 62.0 % of 180 requests, the others 0.4 % of 1620` */
function wordsOf({ side, measure, candidate, compared, comparedWith }: Omit<Evidence, 'text'>): string {
  const percent = ({ count, of }: Share): string => `${((100 * count) / of).toFixed(1)} %`;
  const what = side === 'inbound' ? 'requests' : 'calls';
  const verb = measure === 'rejected' ? 'reject' : 'fail';
  const others = comparedWith === 'stable' ? 'the others' : 'without it there were';
  const whom = side === 'inbound' ? 'instances' : 'callers';
  return `${whom} with the candidate ${verb} ${percent(candidate)} of ${candidate.of} ${what}, ${others} ${percent(compared)} of ${compared.of}`;
}
