/**
 * What becomes of a request's permit once the app has the request, and what the concurrency limit learns from it.
 *
 *   answered    the time from the last of the request to the first of the answer is a sample. A stream (a gRPC answer
 *               that goes on after its first message, text/event-stream, a tunnel) gives its permit back for a place
 *               among the long streams, if there is one; how long it stays is no sample
 *   no answer   a timeout, a reset or a lost connection is a drop
 *   unwanted    the permit stays with the work, which goes on in the app: see abandoned.ts. Of a caller that went away by
 *               itself, how long the app took all the same is a sample: else a service that has become so slow that
 *               all its callers give up would teach the limit nothing
 *
 * A caller that still sends while the answer begins (bidirectional streams, slow uploads) is no sample: the app may have
 * waited for it.
 */
import type { TimerWheel } from '../../proto/kernel/timer-wheel.ts';
import { Reason } from '../../proto/reasons.ts';
import type { HeaderList } from '../http2/hpack/field.ts';
import { Abandoned } from './abandoned.ts';
import type { AttemptView, Clock, RequestView } from './context.ts';
import type { HttpStream } from './http-stream.ts';

const grpcResourceExhausted = '8';

export function onFirstAnswer(
  request: RequestView,
  attempt: AttemptView,
  head: HeaderList | null,
  endStream: boolean,
  nowMs: number,
): void {
  const { admission } = request;
  if (admission === null) return;
  if (request.endedMs >= 0) admission.sample(timeInApp(request, attempt, nowMs), saysNoRoom(attempt), nowMs);
  if (endStream || !request.holdsPermit || !isStream(request, head) || !admission.enterStreams()) return;
  request.isStream = true;
  request.holdsPermit = false;
  request.load?.recordHeld(nowMs - request.admittedMs);
  admission.leave(nowMs, nowMs - request.admittedMs);
}

/** The attempt is over. */
export function onAttemptOver(request: RequestView, attempt: AttemptView, reason: number, nowMs: number): void {
  const { admission } = request;
  if (admission === null || attempt.isAnswered || attempt.forwardedMs === 0 || request.endedMs < 0) return;
  if (reason === Reason.cancelled && attempt.leftBehind !== null) {
    attempt.leftBehind.sampleFromMs = Math.max(attempt.forwardedMs, request.endedMs);
  }
  if (reason !== Reason.deadline && reason !== Reason.upstreamReset) return;
  admission.sample(timeInApp(request, attempt, nowMs), true, nowMs);
}

/** True when the work goes on in the app without us: its permit stays taken, `up` is not ours to reset any more. */
export function leaveBehind(
  request: RequestView,
  attempt: AttemptView,
  up: HttpStream,
  at: { readonly clock: Clock; readonly wheel: TimerWheel },
): boolean {
  const { admission } = request;
  if (admission === null || !request.holdsPermit || admission.abandonAfterMs === 0) return false;
  // Of a request that is not all there, the app would wait for the rest.
  if (attempt.isAnswered || attempt.isReset || request.endedMs < 0) return false;
  request.holdsPermit = false;
  attempt.leftBehind = new Abandoned({ ...at, admission, up, isGrpc: request.head.isGrpc });
  return true;
}

function timeInApp(request: RequestView, attempt: AttemptView, nowMs: number): number {
  return nowMs - Math.max(attempt.forwardedMs, request.endedMs);
}

/** The app's own refusal, not that of a sidecar further on. */
function saysNoRoom({ status, grpcStatus, responseReason }: AttemptView): boolean {
  if (responseReason !== '') return false;
  return grpcStatus === grpcResourceExhausted || status === 429 || status === 503;
}

function isStream({ head: { isGrpc, protocol } }: RequestView, head: HeaderList | null): boolean {
  if (isGrpc) return true;
  if (head === null) return false;
  if (protocol !== '') return head.status < 300;
  return (head.get('content-type') ?? '').startsWith('text/event-stream');
}
