/**
 * The power of two choices (Mitzenmacher 2001): of two endpoints picked at random the one with fewer requests in flight.
 * Nearly as even as asking all of them, at the cost of asking two; and unlike "the least busy of all", many callers that
 * know little of each other do not all run to the same endpoint.
 */
import type { Random } from '../../proto/kernel/random.ts';
import type { Endpoint } from './endpoint.ts';

/** Undefined only for an empty list. Endpoints that are out are avoided while there are others. */
export function pick(endpoints: readonly Endpoint[], random: Random, nowMs: number): Endpoint | undefined {
  const count = endpoints.length;
  if (count <= 1) return endpoints[0];
  const i = Math.floor(random.next() * count);
  // One of the others, each as likely.
  const j = (i + 1 + Math.floor(random.next() * (count - 1))) % count;
  const first = endpoints[i]!;
  const second = endpoints[j]!;
  const firstOut = first.isOut(nowMs);
  const secondOut = second.isOut(nowMs);
  if (firstOut !== secondOut) return firstOut ? second : first;
  if (firstOut) {
    for (let step = 1; step < count; step++) {
      const other = endpoints[(i + step) % count]!;
      if (!other.isOut(nowMs)) return other;
    }
  }
  return second.inFlight < first.inFlight ? second : first;
}
