/**
 * How much a service needs somebody to look at it: the order of "worst first". What users feel weighs most (calls are
 * cut off, calls fail, calls are refused), then what may soon be felt (instances gone, sidecars not on the policy). Load
 * only breaks ties: of two services that fail alike, the busier one hurts more.
 *
 *   fleet breaker open 1000, half open or ramp 500
 *   + failing share of requests × 600
 *   + refused share of requests × 300
 *   + local breakers open among the callers × 200 (share)
 *   + stale share of instances × 300; + 400 when none is live
 *   + a sidecar rejected the policy 300; + share of sidecars behind × 100
 *   + log10(1 + requests/s), at most 9
 */
import type { ServiceView } from '../../proto/api.ts';

export function attention(view: Omit<ServiceView, 'attention'>, openCallersShare: number): number {
  const { inbound, policy, breaker } = view;
  let score = 0;
  if (breaker.state === 'open' || breaker.state === 'forced_open') score += 1000;
  else if (breaker.state === 'half_open' || breaker.state === 'ramp') score += 500;
  const rate = inbound.requestsPerSecond ?? 0;
  const refused = Object.values(inbound.rejectedPerSecond).reduce((sum, perSecond) => sum + perSecond, 0);
  if (inbound.successRatio !== null) score += 600 * (1 - inbound.successRatio);
  if (rate > 0) score += 300 * Math.min(1, refused / rate);
  score += 200 * openCallersShare;
  const known = view.live + view.draining + view.stale;
  if (known > 0) score += 300 * (view.stale / known);
  if (known > 0 && view.live === 0) score += 400;
  if (policy.rejected.length > 0) score += 300;
  if (policy.expected > 0) score += 100 * (policy.behind.length / policy.expected);
  score += Math.min(9, Math.log10(1 + rate));
  return Math.round(score * 10) / 10;
}
