/** Priorities, levels and the callers' throttle from a spec to settings. */
import type {
  EffectiveLevels,
  EffectivePriorities,
  EffectiveRule,
  EffectiveThrottle,
} from '../../proto/policy/defaults-priorities.ts';
import type { CallerKeySpec } from '../../proto/policy/schema-priorities.ts';
import { tierOf } from '../../proto/tiers.ts';
import type { LevelSettings } from '../admission/level-control.ts';
import type { ThrottleSettings } from '../resilience/client-throttle.ts';
import type { CallerKey } from './priority-classes.ts';
import { PriorityClasses, type PriorityRule } from './priority-classes.ts';
import { routeMatch } from './route-match.ts';
import { milliseconds } from './units.ts';

export function priorityClasses(priorities: EffectivePriorities): PriorityClasses {
  return new PriorityClasses({
    otherwise: { match: null, identity: '', tier: tierOf(priorities.default), essential: true },
    rules: priorities.rules.map(priorityRule),
    tenant: callerKey(priorities.tenant),
    user: callerKey(priorities.user),
    trustedIdentities: priorities.trustedIdentities ?? [],
  });
}

function priorityRule({ match, identity, tier, essential }: EffectiveRule): PriorityRule {
  return {
    match: match === undefined ? null : routeMatch(match),
    identity: identity ?? '',
    tier: tierOf(tier),
    essential,
  };
}

function callerKey(key: CallerKeySpec | undefined): CallerKey | null {
  if (key === undefined) return null;
  if (key.header !== undefined) return { kind: 'header', header: key.header.toLowerCase() };
  return { kind: key.identity === undefined ? 'address' : 'identity', header: '' };
}

export function levelSettings(levels: EffectiveLevels): LevelSettings {
  return {
    queueingMaxMs: milliseconds(levels.queueingMax),
    windowMs: milliseconds(levels.window),
    windowRequests: levels.windowRequests,
    decrease: levels.decreasePercent / 100,
    increase: levels.increasePercent / 100,
    nonEssentialTier: tierOf(levels.nonEssential.offFrom),
    restoreAfterMs: milliseconds(levels.nonEssential.restoreAfter),
  };
}

export function throttleSettings(throttle: EffectiveThrottle): ThrottleSettings | null {
  if (!throttle.enabled) return null;
  return {
    acceptsMultiplier: throttle.acceptsMultiplier,
    windowMs: milliseconds(throttle.window),
    requestsPerSecondMin: throttle.requestsPerSecondMin,
    refusedShareMax: throttle.refusedPercentMax / 100,
  };
}
