/** Rate limits that contradict each other or themselves. */
import { parseDuration } from '../kernel/duration.ts';
import { errorsMax, type Finding, isRecord, member, show, valueAt } from './problems.ts';
import { parseRate, rateUnit } from './rate.ts';
import { fleetLimitsThatClash } from './validate-fleet-limits.ts';

export function rateLimitsThatClash(inbound: unknown, pointer: string): Finding[] {
  const limits = member(inbound, 'rateLimits');
  if (!Array.isArray(limits)) return [];
  const findings: Finding[] = [];
  const firstWithName = new Map<string, number>();
  for (const [index, limit] of limits.slice(0, errorsMax).entries()) {
    const at = `${pointer}/rateLimits/${index}`;
    const name = member(limit, 'name');
    if (typeof name === 'string') {
      const first = firstWithName.get(name);
      if (first === undefined) firstWithName.set(name, index);
      else {
        const message = `the name ${show(name)} is taken by ${pointer}/rateLimits/${first}; names are unique`;
        findings.push({ pointer: `${at}/name`, message });
      }
    }
    if (member(limit, 'keysMax') !== undefined && member(limit, 'key') === undefined) {
      const message = 'keysMax bounds the table of keys, but there is no key';
      findings.push({ pointer: `${at}/keysMax`, message, hint: 'add key, such as key: { header: x-client-id }' });
    }
    findings.push(
      ...burstWithoutBucket(limit, at),
      ...defaultAboveMax(limit, at),
      ...windowsThatDoNotCount(limit, at),
      ...costsThatNeverFit(limit, at),
      ...fleetLimitsThatClash(limit, at),
    );
  }
  return findings;
}

function burstWithoutBucket(limit: unknown, at: string): Finding[] {
  const algorithm = algorithmOf(limit);
  if (member(limit, 'burst') === undefined || algorithm === 'tokenBucket') return [];
  const message =
    algorithm === 'leakyBucket'
      ? 'a leaky bucket has no burst: requests go on one by one'
      : 'a window has no burst: its limit is rate × window';
  return [{ pointer: `${at}/burst`, message, hint: 'remove burst, or the algorithm' }];
}

/** A window counts whole requests, and at least one. */
function windowsThatDoNotCount(limit: unknown, at: string): Finding[] {
  const perWindow = windowLimitOf(limit);
  if (perWindow === undefined || isWhole(perWindow)) return [];
  const shown = Number(perWindow.toPrecision(6));
  const message = `rate × window is ${shown}, but a window counts whole requests${perWindow < 1 ? ', at least one' : ''}`;
  return [{ pointer: `${at}/rate`, message, hint: 'change rate or window, such as rate: 5/m with window: 2m' }];
}

function defaultAboveMax(limit: unknown, at: string): Finding[] {
  const usual = valueAt(limit, '/cost/header/default');
  const max = valueAt(limit, '/cost/header/max');
  if (typeof usual !== 'number' || typeof max !== 'number' || usual <= max) return [];
  return [{ pointer: `${at}/cost/header/default`, message: `the default cost ${usual} is above max ${max}` }];
}

function costsThatNeverFit(limit: unknown, at: string): Finding[] {
  const atOnce = algorithmOf(limit) === 'tokenBucket' ? member(limit, 'burst') : windowLimitOf(limit);
  if (typeof atOnce !== 'number') return [];
  const limitName = algorithmOf(limit) === 'tokenBucket' ? `burst ${atOnce}` : `the ${atOnce} of a window`;
  return ['/cost/constant', '/cost/header/max', '/cost/header/default'].flatMap((path) => {
    const cost = valueAt(limit, path);
    if (typeof cost !== 'number' || cost <= atOnce + 1e-6) return [];
    const message = `a request that costs ${cost} would never be admitted: it is more than ${limitName}`;
    return [{ pointer: at + path, message }];
  });
}

function algorithmOf(limit: unknown): string {
  const algorithm = member(limit, 'algorithm');
  return isRecord(algorithm) ? (Object.keys(algorithm)[0] ?? '') : 'tokenBucket';
}

/** What a window admits; undefined where there is none, or nothing that can be read. */
function windowLimitOf(limit: unknown): number | undefined {
  const kind = algorithmOf(limit);
  const rate = member(limit, 'rate');
  if ((kind !== 'fixedWindow' && kind !== 'slidingWindow') || typeof rate !== 'string' || rate.length > 64)
    return undefined;
  const window = valueAt(limit, `/algorithm/${kind}/window`) ?? `1${rateUnit(rate)}`;
  const perSecond = parseRate(rate);
  const windowMs = typeof window === 'string' && window.length <= 64 ? parseDuration(window) : undefined;
  return perSecond === undefined || windowMs === undefined ? undefined : (perSecond * windowMs) / 1000;
}

function isWhole(count: number): boolean {
  return count >= 1 - 1e-6 && Math.abs(count - Math.round(count)) <= 1e-6 * Math.max(1, count);
}
