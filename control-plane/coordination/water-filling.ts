/**
 * Shares a capacity by what each one wants: who wants no more than there is gets it; when all together want more, everybody
 * gets the same part of what it wants, so that a request has the same chance at every instance. Nobody gets less than the
 * floor, which it may take without asking; what that costs the others share in the same way.
 *
 *   share = max(floor, level · want), with one level for all, at most 1, so that the sum is the capacity
 */
export function waterFilling(wants: readonly number[], floor: number, capacity: number): number[] {
  const total = wants.reduce((sum, want) => sum + Math.max(floor, want), 0);
  if (total <= capacity) return wants.map((want) => Math.max(floor, want));
  const level = levelOf(wants, floor, capacity);
  return wants.map((want) => Math.max(floor, level * want));
}

/** From the smallest on, who would get less than the floor gets the floor; the rest share what is left. */
function levelOf(wants: readonly number[], floor: number, capacity: number): number {
  const rising = [...wants].sort((left, right) => left - right);
  let left = capacity;
  let wanted = rising.reduce((sum, want) => sum + want, 0);
  for (const want of rising) {
    if (wanted <= 0 || (left / wanted) * want >= floor) break;
    left -= floor;
    wanted -= want;
  }
  return wanted > 0 ? Math.max(0, left) / wanted : 0;
}
