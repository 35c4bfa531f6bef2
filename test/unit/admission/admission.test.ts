/** The concurrency limit and its queue, one promise at a time; any order of events is in admission-properties.test.ts. */
import { describe, expect, it } from 'vitest';
import { Reason } from '../../../proto/reasons.ts';
import { Admission, type AdmissionSettings, Decision } from '../../../sidecar/admission/admission.ts';
import { fifo } from '../../../sidecar/admission/queue-settings.ts';
import { TestWaiter } from './test-waiter.ts';

const queue = { ...fifo, requestsMax: 2, bytesMax: 100, waitMaxMs: 200 };

function waiters(count: number, bytes = 10): TestWaiter[] {
  return Array.from({ length: count }, (_, id) => new TestWaiter(id, bytes));
}

function full(settings: AdmissionSettings): Admission {
  const admission = new Admission(settings);
  for (let i = 0; i < settings.limit; i++) expect(admission.enter(new TestWaiter(1000 + i), 0)).toBe(Decision.admitted);
  return admission;
}

describe('Admission', () => {
  it('admits up to the limit, queues up to the bound, then refuses', () => {
    const admission = full({ limit: 2, queue });
    const [a, b, c] = waiters(3);
    expect([a!, b!, c!].map((w) => admission.enter(w, 0))).toEqual([
      Decision.queued,
      Decision.queued,
      Reason.queueFull,
    ]);
    expect([admission.inFlight, admission.queued, admission.queuedBytes]).toEqual([2, 2, 20]);
  });

  it('refuses at the limit when there is no queue', () => {
    expect(full({ limit: 1, queue: null }).enter(new TestWaiter(0), 0)).toBe(Reason.queueFull);
  });

  it('refuses what would bring the queue above its bytes, and still takes what is smaller', () => {
    const admission = full({ limit: 1, queue: { ...queue, requestsMax: 10 } });
    expect(admission.enter(new TestWaiter(0, 60), 0)).toBe(Decision.queued);
    expect(admission.enter(new TestWaiter(1, 41), 0)).toBe(Reason.queueFull);
    expect(admission.enter(new TestWaiter(2, 40), 0)).toBe(Decision.queued);
    expect(admission.queuedBytes).toBe(100);
  });

  it('hands a returned permit to the one that waited longest, before leave() returns', () => {
    const admission = full({ limit: 1, queue });
    const [a, b] = waiters(2);
    admission.enter(a!, 0);
    admission.enter(b!, 1);
    admission.leave(10);
    expect(a!.heard).toEqual(['admitted at 10']);
    expect(b!.heard).toEqual([]);
    expect([admission.inFlight, admission.queued]).toEqual([1, 1]);
  });

  it('takes a waiter that went away out of the queue, also from the middle, and only once', () => {
    const admission = full({ limit: 1, queue: { ...queue, requestsMax: 3 } });
    const [a, b, c] = waiters(3);
    for (const waiter of [a!, b!, c!]) admission.enter(waiter, 0);
    expect(admission.cancel(b!, 0)).toBe(true);
    expect(admission.cancel(b!, 0)).toBe(false);
    expect(admission.queuedBytes).toBe(20);
    admission.leave(1);
    admission.leave(2);
    expect([a!.heard, b!.heard, c!.heard]).toEqual([['admitted at 1'], [], ['admitted at 2']]);
    expect(admission.cancel(a!, 0)).toBe(false);
  });

  it('does not mistake a waiter of another queue for its own', () => {
    const [one, other] = [full({ limit: 1, queue }), full({ limit: 1, queue })];
    const [a, b] = waiters(2);
    one.enter(a!, 0);
    other.enter(b!, 0);
    expect(one.cancel(b!, 0)).toBe(false);
    expect(other.queued).toBe(1);
  });

  it('refuses with queue_timeout what waited for waitMax, oldest first, and nothing younger', () => {
    const admission = full({ limit: 1, queue });
    const [a, b] = waiters(2);
    admission.enter(a!, 0);
    admission.enter(b!, 50);
    admission.expire(199.9);
    expect(a!.heard).toEqual([]);
    admission.expire(200);
    expect(a!.heard).toEqual([`refused ${Reason.queueTimeout} at 200`]);
    expect(b!.heard).toEqual([]);
    expect(admission.queued).toBe(1);
  });

  it('does not admit a waiter past waitMax that nobody has expired yet', () => {
    const admission = full({ limit: 1, queue });
    const [a, b] = waiters(2);
    admission.enter(a!, 0);
    admission.enter(b!, 150);
    admission.leave(300);
    expect(a!.heard).toEqual([`refused ${Reason.queueTimeout} at 300`]);
    expect(b!.heard).toEqual(['admitted at 300']);
  });

  it('does not recurse, however many waiters finish inside their admission', () => {
    const count = 100_000;
    const admission = full({ limit: 1, queue: { ...fifo, requestsMax: count, bytesMax: count, waitMaxMs: 1000 } });
    let depth = 0;
    let deepest = 0;
    let admitted = 0;
    for (let i = 0; i < count; i++) {
      const waiter = new TestWaiter(i, 1);
      waiter.onAdmittedDo = () => {
        admitted++;
        deepest = Math.max(deepest, ++depth);
        admission.leave(1);
        depth--;
      };
      admission.enter(waiter, 0);
    }
    admission.leave(1);
    expect([admitted, deepest, admission.inFlight, admission.queued]).toEqual([count, 1, 0, 0]);
  });

  it('lets a newcomer that enters during an admission queue behind those who wait', () => {
    const admission = full({ limit: 2, queue: { ...queue, requestsMax: 5 } });
    const [a, b, late] = waiters(3);
    a!.onAdmittedDo = () => {
      admission.leave(1);
      admission.enter(late!, 1);
    };
    admission.enter(a!, 0);
    admission.enter(b!, 0);
    admission.leave(1);
    expect(b!.heard).toEqual(['admitted at 1']);
    expect(late!.heard).toEqual([]);
  });

  it('asserts that a permit is returned by somebody who has one', () => {
    expect(() => new Admission({ limit: 1, queue: null }).leave(0)).toThrow(/nobody held/);
  });
});

describe('Admission.reconfigure', () => {
  it('admits waiters at once when the limit rises', () => {
    const admission = full({ limit: 1, queue });
    const [a, b] = waiters(2);
    admission.enter(a!, 0);
    admission.enter(b!, 0);
    admission.reconfigure({ limit: 2, queue }, 5);
    expect([a!.heard, b!.heard]).toEqual([['admitted at 5'], []]);
    expect([admission.inFlight, admission.limit]).toEqual([2, 2]);
  });

  it('lets permits drain when the limit falls, and admits nobody before they have', () => {
    const admission = full({ limit: 3, queue });
    admission.reconfigure({ limit: 1, queue }, 0);
    const waiter = new TestWaiter(0);
    expect(admission.enter(waiter, 0)).toBe(Decision.queued);
    admission.leave(1);
    admission.leave(2);
    expect(waiter.heard).toEqual([]);
    admission.leave(3);
    expect(waiter.heard).toEqual(['admitted at 3']);
    expect(admission.inFlight).toBe(1);
  });

  it('refuses the newest beyond a smaller queue, by requests and by bytes', () => {
    const roomy = { ...fifo, requestsMax: 5, bytesMax: 100, waitMaxMs: 200 };
    const admission = full({ limit: 1, queue: roomy });
    const all = waiters(5);
    for (const waiter of all) admission.enter(waiter, 0);
    admission.reconfigure({ limit: 1, queue: { ...roomy, requestsMax: 4 } }, 1);
    expect(all.map((w) => w.heard.length)).toEqual([0, 0, 0, 0, 1]);
    admission.reconfigure({ limit: 1, queue: { ...roomy, bytesMax: 20 } }, 2);
    expect(all.map((w) => w.heard.length)).toEqual([0, 0, 1, 1, 1]);
    admission.reconfigure({ limit: 1, queue: null }, 3);
    expect(all.map((w) => w.heard.at(-1))).toEqual([
      `refused ${Reason.queueFull} at 3`,
      `refused ${Reason.queueFull} at 3`,
      `refused ${Reason.queueFull} at 2`,
      `refused ${Reason.queueFull} at 2`,
      `refused ${Reason.queueFull} at 1`,
    ]);
  });
});

describe('Admission.retryAfterMs', () => {
  it('says one second while nothing is known', () => {
    expect(full({ limit: 1, queue }).retryAfterMs(0)).toBe(1000);
  });

  it('is the time in which those who wait, and one more, are served at the recent pace', () => {
    const admission = full({ limit: 1, queue: { ...fifo, requestsMax: 50, bytesMax: 1000, waitMaxMs: 10_000 } });
    let nowMs = 0;
    for (let i = 0; i < 200; i++) {
      nowMs += 20;
      admission.leave(nowMs);
      admission.enter(new TestWaiter(i), nowMs);
    }
    expect(admission.retryAfterMs(nowMs)).toBe(20);
    for (let i = 0; i < 9; i++) admission.enter(new TestWaiter(i), nowMs);
    expect(admission.retryAfterMs(nowMs)).toBe(200);
  });

  it('is not misled by a quiet time', () => {
    const admission = full({ limit: 1, queue });
    admission.leave(10);
    admission.enter(new TestWaiter(0), 3_600_000);
    expect(admission.retryAfterMs(3_600_000)).toBe(10);
  });

  it('grows while nothing ends, up to ten seconds', () => {
    const admission = full({ limit: 1, queue });
    admission.leave(10);
    admission.enter(new TestWaiter(0), 10);
    expect(admission.retryAfterMs(20)).toBe(10);
    expect(admission.retryAfterMs(1020)).toBe(1010);
    expect(admission.retryAfterMs(1_000_000)).toBe(10_000);
  });

  it('is never below a millisecond', () => {
    const admission = full({ limit: 1, queue });
    admission.leave(0);
    expect(admission.retryAfterMs(0)).toBe(1);
  });
});
