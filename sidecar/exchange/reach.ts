/**
 * What the end of an attempt says about whether its endpoint can be reached. Whatever it answered, it was there; what we
 * refused says nothing.
 */
import { Reason } from '../../proto/reasons.ts';
import type { Endpoint } from '../routing/endpoint.ts';
import type { AttemptView } from './context.ts';

/** True when it is back. */
export function recordReach(endpoint: Endpoint, attempt: AttemptView, reason: number, nowMs: number): boolean {
  switch (reason) {
    case Reason.none:
    case Reason.upstreamProtocol:
      return endpoint.recordReached();
    case Reason.upstreamReset:
      if (!attempt.connectionLost) return endpoint.recordReached();
      endpoint.recordUnreachable(nowMs);
      return false;
    case Reason.upstreamConnect:
      endpoint.recordUnreachable(nowMs);
      return false;
    default:
      endpoint.recordNothing();
      return false;
  }
}
