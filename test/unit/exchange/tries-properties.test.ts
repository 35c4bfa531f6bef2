/** Whatever happens in whatever order: one answer for each caller, as many attempts as allowed, everything given back. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ErrorCode } from '../../../sidecar/http2/constants.ts';
import { HeaderList } from '../../../sidecar/http2/hpack/field.ts';
import { ResetCause } from '../../../sidecar/http2/stream.ts';
import { type FakeStream, nothingLeft, RetryRig } from './retry-rig.ts';

const step = fc.oneof(
  fc.constantFrom('get', 'post', 'call').map((kind) => ({ kind, at: 0, ms: 0 })),
  fc.record({
    kind: fc.constantFrom('200', '503', 'head', 'grpc14', 'pushback', 'lost', 'refused', 'unprocessed', 'cancel'),
    at: fc.nat(5),
    ms: fc.constant(0),
  }),
  fc.record({ kind: fc.constant('pass'), at: fc.constant(0), ms: fc.integer({ min: 1, max: 400 }) }),
  fc.constantFrom('unreachable', 'reachable').map((kind) => ({ kind, at: 0, ms: 0 })),
);

const policy = fc.record(
  {
    timeout: fc.constant('800ms'),
    perTryTimeout: fc.constantFrom('100ms', '300ms'),
    retries: fc.record({ attemptsMax: fc.integer({ min: 2, max: 3 }), nonIdempotent: fc.boolean() }),
    hedging: fc.record({ after: fc.constantFrom('20ms', '150ms'), nonIdempotent: fc.boolean() }),
    circuitBreaker: fc.constant({ consecutiveFailures: 4, openFor: '100ms' }),
  },
  { requiredKeys: [] },
);

class Run {
  readonly callers: FakeStream[] = [];
  private readonly rig: RetryRig;

  constructor(rig: RetryRig) {
    this.rig = rig;
  }

  take({ kind, at, ms }: { kind: string; at: number; ms: number }): void {
    const { rig } = this;
    if (kind === 'get') this.callers.push(rig.get());
    else if (kind === 'post') this.callers.push(rig.post('content'));
    else if (kind === 'call') this.callers.push(rig.call());
    else if (kind === 'pass') rig.pass(ms);
    else if (kind === 'unreachable') rig.unreachable.add('*');
    else if (kind === 'reachable') rig.unreachable.clear();
    else if (kind === 'cancel') this.cancel(at);
    else this.answer(kind, at);
  }

  private cancel(at: number): void {
    const open = this.callers.filter(({ ended, isClosed }) => !ended && !isClosed);
    const caller = open[at];
    if (caller === undefined) return;
    caller.isClosed = true;
    caller.handler?.onReset(ErrorCode.cancel, ResetCause.peer);
  }

  private answer(kind: string, at: number): void {
    const attempt = this.rig.attempts.filter(({ isClosed, remoteClosed }) => !isClosed && !remoteClosed)[at];
    if (attempt === undefined) return;
    if (kind === 'lost') return attempt.fail(ErrorCode.internalError, ResetCause.connection);
    if (kind === 'refused') return attempt.fail(ErrorCode.refusedStream, ResetCause.peer);
    if (kind === 'unprocessed') return attempt.fail(ErrorCode.noError, ResetCause.unprocessed);
    if (kind === 'head') {
      if (attempt.isAnswered) return;
      attempt.isAnswered = true;
      return attempt.handler?.onHeaders(HeaderList.of([[':status', '200']]), false);
    }
    attempt.remoteClosed = true;
    if (attempt.isAnswered) return attempt.handler?.onData(Buffer.from('x'), 0, 1, true);
    attempt.isAnswered = true;
    if (kind === 'grpc14') attempt.grpc(14);
    else if (kind === 'pushback') attempt.answer(503, [['retry-after', '1']]);
    else attempt.answer(Number(kind));
  }
}

describe('Tries', () => {
  test('answer every caller once and give everything back, whatever happens in whatever order', () => {
    fc.assert(
      fc.property(policy, fc.array(step, { maxLength: 60 }), (outbound, steps) => {
        const rig = new RetryRig(outbound);
        const run = new Run(rig);
        for (const one of steps) run.take(one);
        // What is still open ends: a loop with a bound, since an end may begin another attempt.
        for (let round = 0; round < 40; round++) {
          run.take({ kind: '200', at: 0, ms: 0 });
          rig.pass(50);
        }
        for (let i = 0; i < run.callers.length * 4; i++) run.take({ kind: '200', at: 0, ms: 0 });
        rig.pass(13_000);
        for (const caller of run.callers) {
          const finals = caller.heads.filter(({ status }) => status >= 200).length;
          expect(finals).toBeLessThanOrEqual(1);
          if (!caller.isClosed) expect([finals, caller.ended]).toEqual([1, true]);
        }
        expect(rig.leftovers).toEqual(nothingLeft);
      }),
      { numRuns: 300 },
    );
  });
});
