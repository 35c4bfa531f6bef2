/**
 * What the proxy says about requests: a sample of them as access log; each reason of refusal once at once and then as
 * counts per interval, so that a flood of refusals is neither silent nor a flood of lines.
 */
import type { Log } from '../../proto/kernel/log-format.ts';
import type { Random } from '../../proto/kernel/random.ts';
import { Reason, reasonCount, reasonName } from '../../proto/reasons.ts';
import { SingleRateLimiter } from '../admission/rate-limiter.ts';
import type { Observer, RequestView, Side } from '../exchange/context.ts';
import { fallbackKinds } from '../exchange/traffic-stats.ts';
import { Outcome } from '../resilience/outcome.ts';
import { clock } from './clock.ts';

const intervalMs = 10_000;
/** Access lines a second, whatever the sample says: the log must not become the load. */
const accessLines = { kind: 'tokenBucket', ratePerSecond: 50, burst: 50 } as const;
const outcomeNames = { [Outcome.success]: 'success', [Outcome.failure]: 'failure', [Outcome.ignored]: 'ignored' };

export const accessLimiterBytes = SingleRateLimiter.bytesFor(accessLines);

/** Threads with the same memory write that many lines together. */
export function accessLimiter(memory?: ArrayBufferLike, owner?: number): SingleRateLimiter {
  return new SingleRateLimiter(accessLines, memory, owner);
}

export class RequestLog implements Observer {
  private readonly log: Log;
  private readonly random: Random;
  private readonly sample: number;
  /** By side and reason: refusals since the last line about them. */
  private readonly counts = new Map<string, Float64Array>();
  private readonly accessLimit: SingleRateLimiter;
  private readonly timer: NodeJS.Timeout;

  constructor(log: Log, random: Random, sample: number, accessLimit = accessLimiter()) {
    this.log = log;
    this.random = random;
    this.sample = sample;
    this.accessLimit = accessLimit;
    this.timer = setInterval(() => this.flush(), intervalMs);
    this.timer.unref();
  }

  onSettled(request: RequestView, side: Side, outcome: number, reason: number): void {
    if (reason !== Reason.none && reason !== Reason.cancelled) this.onRefused(request, side, reason);
    if (this.sample === 0 || this.random.next() >= this.sample) return;
    if (this.accessLimit.tryAcquire('', clock.nowMs) === 0) this.access(request, side, outcome, reason);
  }

  /** Writes what has been counted. */
  flush(): void {
    for (const [direction, counts] of this.counts) {
      for (let reason = 1; reason < counts.length; reason++) {
        const count = counts[reason]!;
        counts[reason] = 0;
        // 1 is the one that was logged at once.
        if (count > 1)
          this.log.warn('refused', { direction, reason: reasonName(reason), count: count - 1, intervalMs });
      }
    }
  }

  close(): void {
    clearInterval(this.timer);
    this.flush();
  }

  private onRefused(request: RequestView, side: Side, reason: number): void {
    let counts = this.counts.get(side.name);
    if (counts === undefined) {
      counts = new Float64Array(reasonCount);
      this.counts.set(side.name, counts);
    }
    counts[reason]! += 1;
    if (counts[reason] !== 1) return;
    this.log.warn('refused', {
      direction: side.name,
      reason: reasonName(reason),
      peer: request.traffic?.peer,
      path: request.head.path,
      from: request.peerAddress,
      identity: request.peerIdentity || undefined,
      retryAfterMs: request.retryAfterMs || undefined,
    });
  }

  private access(request: RequestView, side: Side, outcome: number, reason: number): void {
    this.log.info('request', {
      direction: side.name,
      peer: request.traffic?.peer,
      from: request.peerAddress || undefined,
      identity: request.peerIdentity || undefined,
      method: request.head.method,
      path: request.head.path,
      route: request.counts?.route,
      status: request.status,
      grpcStatus: request.grpcStatus || undefined,
      outcome: outcomeNames[outcome as keyof typeof outcomeNames],
      reason: reason === Reason.none ? undefined : reasonName(reason),
      fallback: fallbackKinds[request.fallbackKind],
      durationMs: Math.round((clock.nowMs - request.startedMs) * 1000) / 1000,
      upstream: request.address || undefined,
      traceparent: request.head.get('traceparent'),
    });
  }
}
