/**
 * Whom the first stage chooses. A hash gives each instance its place for the whole rollout; over three instances, or
 * three hundred, 10 % of them by one salt may be nobody, and a stage that nobody tries proves nothing. So of a few salts
 * the one is taken whose first stage comes nearest to its share of the service's own instances and of its callers', and
 * to one at least of each.
 */
import { obeysCandidate } from '../../proto/policy/bundle.ts';

const saltsTried = 64;

export function chooseSalt(prefix: string, percent: number, groups: readonly (readonly string[])[]): string {
  let best = `${prefix}-0`;
  let bestMiss = Number.POSITIVE_INFINITY;
  for (let i = 0; i < saltsTried && bestMiss > 0; i++) {
    const salt = `${prefix}-${i}`;
    let miss = 0;
    for (const instances of groups) {
      if (instances.length === 0) continue;
      const wanted = Math.max(1, Math.round((instances.length * percent) / 100));
      const chosen = instances.filter((instance) => obeysCandidate({ percent, salt }, instance)).length;
      miss += Math.abs(chosen - wanted) + (chosen === 0 ? instances.length : 0);
    }
    if (miss < bestMiss) {
      bestMiss = miss;
      best = salt;
    }
  }
  return best;
}
