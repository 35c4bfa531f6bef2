/**
 * When a request is due, from what its caller asked for (grpc-timeout) and the policy's bounds; 0 = no deadline.
 */
import type { HeaderList } from '../http2/hpack/field.ts';
import { boundedTimeoutMs, parseGrpcTimeoutMs } from '../resilience/deadline.ts';

export function deadlineOf(head: HeaderList, defaultMs: number, maxMs: number, nowMs: number): number {
  const asked = head.grpcTimeout;
  // Without a wish and without a policy, which is most requests, nothing is computed.
  if (asked === '' && defaultMs === 0 && maxMs === 0) return 0;
  const wanted = asked === '' ? undefined : parseGrpcTimeoutMs(asked);
  const timeoutMs = boundedTimeoutMs(wanted, { defaultMs, maxMs });
  return timeoutMs > 0 ? nowMs + timeoutMs : 0;
}
