/**
 * How important a request is: one of six tiers, and within its tier one of 128 user levels, so that a service which can
 * bear a little less than a whole tier need not turn all of it away. Both together are one number, smaller is more
 * important, and everything that sheds compares that number (DAGOR, SoCC'18).
 */
export const tierNames = ['critical', 'high', 'normal', 'low', 'batch', 'background'] as const;

export type TierName = (typeof tierNames)[number];

export const Tier = { critical: 0, high: 1, normal: 2, low: 3, batch: 4, background: 5 } as const;

export const tierCount = tierNames.length;
export const userLevelCount = 128;
/** Priorities are 0 to here − 1; as a level in force it admits everybody. */
export const levelCount = tierCount * userLevelCount;

/** The tier of that name, -1 when there is none. */
export function tierOf(name: string): number {
  for (let tier = 0; tier < tierCount; tier++) {
    if (tierNames[tier] === name) return tier;
  }
  return -1;
}

/** The next tier, of what is tried again: where it is crowded, first attempts go first. */
export function lessImportant(tier: number): number {
  return Math.min(tier + 1, tierCount - 1);
}

export function priorityOf(tier: number, userLevel: number): number {
  return tier * userLevelCount + userLevel;
}
