/**
 * When a request is due, from what its caller asked for (grpc-timeout, or a field that the policy names) and the
 * policy's bounds; 0 = no deadline.
 */
import type { HeaderList } from '../http2/hpack/field.ts';
import { boundedTimeoutMs, parseGrpcTimeoutMs } from '../resilience/deadline.ts';
import type { RequestView } from './context.ts';
import { parseTimeoutHeader } from './onward-head.ts';

export interface DeadlineBounds {
  readonly shadow: boolean;
  /** For requests that ask for none; 0 = none. */
  readonly defaultMs: number;
  /** 0 = none. */
  readonly maxMs: number;
  /** '' = none. */
  readonly timeoutHeader: string;
}

/**
 * Sets it. In shadow the caller's own wish holds, as far as it is known without a policy, and what the policy makes of it is
 * watched (`shadowDeadlineMs`).
 */
export function setDeadline(request: RequestView, bounds: DeadlineBounds, nowMs: number): void {
  const { defaultMs, maxMs, timeoutHeader, shadow } = bounds;
  const { head } = request;
  // Without a wish and without a policy, which is most requests, nothing is computed.
  if (head.grpcTimeout === '' && defaultMs === 0 && maxMs === 0 && timeoutHeader === '') return;
  const bounded = boundedTimeoutMs(wishOf(head, timeoutHeader), { defaultMs, maxMs });
  if (!shadow) {
    request.timeoutHeader = timeoutHeader;
    request.deadlineMs = bounded > 0 ? nowMs + bounded : 0;
    return;
  }
  const wish = boundedTimeoutMs(wishOf(head, ''), { defaultMs: 0, maxMs: 0 });
  request.deadlineMs = wish > 0 ? nowMs + wish : 0;
  if (bounded !== wish) request.shadowDeadlineMs = nowMs + bounded;
}

function wishOf(head: HeaderList, timeoutHeader: string): number | undefined {
  const grpcMs = head.grpcTimeout === '' ? undefined : parseGrpcTimeoutMs(head.grpcTimeout);
  if (timeoutHeader === '') return grpcMs;
  const headerMs = parseTimeoutHeader(head.get(timeoutHeader));
  if (grpcMs === undefined || headerMs === undefined) return grpcMs ?? headerMs;
  return Math.min(grpcMs, headerMs);
}
