/** Two durations of which one must not exceed the other, when one or both are left to their defaults. */
import { formatDuration, parseDuration } from '../kernel/duration.ts';

/** A default never contradicts what was written: the one that is missing gives way to the one that is there. */
export function ordered(
  lesser: string | undefined,
  greater: string | undefined,
  defaultLesser: string,
  defaultGreater: string,
): [lesser: string, greater: string] {
  const ms = (text: string): number => parseDuration(text) ?? 0;
  if (lesser !== undefined && greater === undefined) {
    return [lesser, formatDuration(Math.max(ms(lesser), ms(defaultGreater)))];
  }
  if (lesser === undefined && greater !== undefined) {
    return [formatDuration(Math.min(ms(greater), ms(defaultLesser))), greater];
  }
  return [lesser ?? defaultLesser, greater ?? defaultGreater];
}
