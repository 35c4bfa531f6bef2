/** Priorities, levels and the callers' throttle with nothing left open. */
import type { LevelsSpec, NonEssentialSpec } from './schema-levels.ts';
import type { PrioritiesSpec, PriorityRuleSpec } from './schema-priorities.ts';
import type { ThrottleSpec } from './schema-throttle.ts';

type Filled<T, Keys extends keyof T> = T & Required<Pick<T, Keys>>;

export type EffectiveRule = Filled<PriorityRuleSpec, 'essential'>;

export interface EffectivePriorities extends Omit<PrioritiesSpec, 'rules'> {
  default: NonNullable<PrioritiesSpec['default']>;
  rules: EffectiveRule[];
}

export interface EffectiveLevels extends Required<Omit<LevelsSpec, 'nonEssential'>> {
  nonEssential: Required<NonEssentialSpec>;
}

export type EffectiveThrottle = Required<ThrottleSpec>;

export function prioritiesWithDefaults(priorities: PrioritiesSpec): EffectivePriorities {
  const { rules = [] } = priorities;
  return {
    ...priorities,
    default: priorities.default ?? 'normal',
    rules: rules.map((rule) => ({ ...rule, essential: rule.essential ?? true })),
  };
}

const defaultLevels: EffectiveLevels = {
  queueingMax: '20ms',
  window: '1s',
  windowRequests: 2000,
  decreasePercent: 5,
  increasePercent: 1,
  nonEssential: { offFrom: 'background', restoreAfter: '5s' },
};

export function levelsWithDefaults(levels: LevelsSpec): EffectiveLevels {
  const nonEssential = { ...defaultLevels.nonEssential, ...levels.nonEssential };
  return { ...defaultLevels, ...levels, nonEssential };
}

const defaultThrottle: EffectiveThrottle = {
  enabled: true,
  acceptsMultiplier: 2,
  window: '10s',
  requestsPerSecondMin: 5,
  refusedPercentMax: 90,
};

export function throttleWithDefaults(throttle: ThrottleSpec): EffectiveThrottle {
  return { ...defaultThrottle, ...throttle };
}
