/** What one sidecar says to the fleet and what becomes of what it hears, by hand-moved clocks. */
import { describe, expect, it } from 'vitest';
import { blankVerdict } from '../../../proto/fleet-blanks.ts';
import type { Identity, ProbeToken, Verdict } from '../../../proto/fleet-messages.ts';
import { Breaker, BreakerState } from '../../../sidecar/resilience/breaker.ts';
import { FleetCaller, type Outgoing } from '../../../sidecar/resilience/fleet-caller.ts';
import { Outcome } from '../../../sidecar/resilience/outcome.ts';
import { TargetCounts } from '../../../sidecar/resilience/target-counts.ts';
import { settings } from './breaker-rig.ts';

const key = 'shop/payments';
const middle = { next: () => 0.5 };
const identity: Identity = {
  namespace: 'shop',
  service: 'orders',
  instance: 'orders-1',
  incarnation: 'a',
  zone: 'east',
  version: '',
};
const members = ['shop/orders/orders-0', 'shop/orders/orders-1', 'shop/orders/orders-2'];

class Rig {
  nowMs = 100_000;
  /** Of wall time beside the leader's. */
  skewMs = 0;
  readonly breaker = new Breaker({ ...settings, consecutiveFailures: 0, failureRatio: null });
  readonly counts = new TargetCounts();
  ejected: readonly string[] = [];
  readonly sent: Outgoing[] = [];
  traffic = { requests: 0, success: 0, failure: 0 };
  readonly caller: FleetCaller;
  private seq = 0;

  constructor() {
    this.caller = new FleetCaller({ identity, random: middle, own: () => this.traffic, nextSeq: () => ++this.seq });
    const setEjected = (addresses: readonly string[]) => {
      this.ejected = addresses;
    };
    this.caller.follow({ key, breaker: this.breaker, counts: this.counts, setEjected }, this.nowMs);
  }

  hear(change: Partial<Verdict> = {}): boolean {
    const verdict = { ...blankVerdict, target: key, epoch: '1', generation: 1, ttlMs: 1500, sentAtWallMs: this.nowMs };
    return this.caller.onVerdict({ ...verdict, ...change }, this.nowMs, this.nowMs + this.skewMs);
  }

  hearOpen(change: Partial<Verdict> = {}): boolean {
    const opening = { openedAtWallMs: 100_000, membersHash: 'm', members };
    return this.hear({ state: 'open', allow: 0, coolMs: 1000, ...opening, ...change });
  }

  /** Lets time pass in steps of 50 ms; `each` after each of them. */
  run(ms: number, each: () => void = () => {}): void {
    for (const untilMs = this.nowMs + ms; this.nowMs < untilMs; ) {
      this.nowMs += 50;
      this.sent.push(...this.caller.tick(this.nowMs, this.nowMs + this.skewMs, true));
      each();
    }
  }

  /** The last report's row. */
  row() {
    const report = this.sent.findLast((message) => message.kind === 'report');
    return report?.kind === 'report' ? report.report.targets?.[0] : undefined;
  }

  lastSeq(): number {
    return this.seq;
  }

  grant(change: Partial<ProbeToken> = {}, answersSeq = this.lastSeq(), incarnation = 'a'): void {
    const token = { target: key, generation: 2, round: 2, k: 0, ttlMs: 1000, healthCheck: false, ...change };
    this.caller.onGrant({ v: 1, incarnation, answersSeq, epoch: '1', tokens: [token], leases: [] }, this.nowMs);
  }

  /** Whether a request passes, and with which outcome it ends. */
  call(outcome: number = Outcome.success): boolean {
    if (this.breaker.tryAcquire(this.nowMs) > 0) return false;
    const { lastAcquireWasProbe, generation } = this.breaker;
    this.breaker.record(outcome, 5, lastAcquireWasProbe, generation, this.nowMs);
    return true;
  }
}

describe('FleetCaller, hearing verdicts', () => {
  it('drops older generations and epochs, and those of another zone', () => {
    const rig = new Rig();
    expect(rig.hear({ epoch: '2', generation: 5 })).toBe(true);
    expect(rig.hear({ epoch: '2', generation: 4 })).toBe(false);
    expect(rig.hear({ epoch: '1', generation: 9 })).toBe(false);
    expect(rig.hear({ epoch: '2', generation: 6, zone: 'west' })).toBe(false);
    expect(rig.hear({ epoch: '2', generation: 6, zone: 'east' })).toBe(true);
    expect(rig.hear({ epoch: '3', generation: 1 })).toBe(true);
  });

  it('hands on which endpoints the fleet has ejected, and knows when it is itself at fault', () => {
    const rig = new Rig();
    rig.hear({ ejected: ['10.0.0.1:80'], suspects: ['shop/orders/orders-1'] });
    expect(rig.ejected).toEqual(['10.0.0.1:80']);
    expect(rig.caller.standing(key)?.isSuspect).toBe(true);
  });

  it('reports ten times a second while a verdict stands, also when nothing is wanted, and says what it obeys', () => {
    const rig = new Rig();
    rig.run(2500);
    rig.sent.length = 0;
    rig.hearOpen();
    rig.caller.hurry(key, rig.nowMs);
    rig.run(1000);
    expect(rig.sent.filter(({ kind }) => kind === 'report')).toHaveLength(10);
    expect(rig.row()).toMatchObject({ fleetState: 'open', openedAtWallMs: 100_000, membersHash: 'm', generation: 1 });
  });

  it('keeps what was forced until it expires, leader or no leader', () => {
    const rig = new Rig();
    rig.hearOpen({ state: 'forced_open', expiresInMs: 120_000 });
    rig.run(119_900);
    expect(rig.call()).toBe(false);
    rig.run(200);
    expect(rig.breaker.fleetState).toBe(BreakerState.closed);
  });
});

describe('FleetCaller, holding probe tokens', () => {
  function opened(): Rig {
    const rig = new Rig();
    rig.hearOpen();
    rig.caller.hurry(key, rig.nowMs);
    rig.run(200);
    return rig;
  }

  it('spends a token that answers its report, and reports what came of it', () => {
    const rig = opened();
    rig.grant();
    expect([rig.call(), rig.call()]).toEqual([true, false]);
    rig.run(100);
    expect(rig.row()).toMatchObject({ round: 2, tokensHeld: 1, tokensUsed: 1, probesOk: 1, tokensLive: false });
  });

  it('counts the time of a token from before the report that it answers', () => {
    const rig = opened();
    const { nowMs } = rig;
    const seq = rig.lastSeq();
    rig.run(1000, () => rig.hearOpen());
    expect(rig.nowMs - nowMs).toBe(1000);
    rig.grant({}, seq);
    expect(rig.call()).toBe(false);
  });

  it.each([
    ['of its former self', (rig: Rig) => rig.grant({}, rig.lastSeq(), 'before')],
    ['that answers no report of its own', (rig: Rig) => rig.grant({}, 999)],
    ['of a generation that is over', (rig: Rig) => rig.grant({ generation: 0 })],
  ])('has no use for a token %s', (_, grant) => {
    const rig = opened();
    grant(rig);
    expect(rig.call()).toBe(false);
  });

  it('takes a grant once, however often it comes', () => {
    const rig = opened();
    rig.grant();
    rig.call();
    rig.grant();
    expect(rig.call()).toBe(false);
  });

  it('asks the target itself when half of the time is over and no request came', () => {
    const rig = opened();
    rig.grant();
    rig.run(400, () => rig.hearOpen());
    expect(rig.sent.some(({ kind }) => kind === 'check')).toBe(false);
    rig.run(200, () => rig.hearOpen());
    expect(rig.sent.filter(({ kind }) => kind === 'check')).toHaveLength(1);
    expect(rig.call()).toBe(false);
  });
});

describe('FleetCaller without its leader', () => {
  it('probes once in every third second, in the middle half of its slot, while three members are known', () => {
    const rig = new Rig();
    rig.hearOpen();
    rig.caller.hurry(key, rig.nowMs);
    const passedAtMs: number[] = [];
    rig.run(10_000, () => {
      if (rig.call(Outcome.failure)) passedAtMs.push(rig.nowMs - 100_000);
    });
    expect(passedAtMs.map((atMs) => Math.floor(atMs / 1000))).toEqual([1, 4, 7]);
    for (const atMs of passedAtMs) {
      expect(atMs % 1000).toBeGreaterThanOrEqual(250);
      expect(atMs % 1000).toBeLessThan(750);
    }
    expect(rig.sent.filter(({ kind }) => kind === 'slot')).toMatchObject([
      { result: { slot: 1, ok: false, membersHash: 'm' } },
      { result: { slot: 4, ok: false } },
      { result: { slot: 7, ok: false } },
    ]);
  });

  it.each([
    ['its clock is more than 250 ms off', { skewMs: 251, change: {} }],
    ['it is no member', { skewMs: 0, change: { members: ['shop/orders/others'] } }],
    ['it knows the members by their hash only', { skewMs: 0, change: { members: [] } }],
  ])('does not probe when %s', (_, { skewMs, change }) => {
    const rig = new Rig();
    rig.skewMs = skewMs;
    rig.hearOpen(change);
    rig.caller.hurry(key, rig.nowMs);
    let passed = 0;
    rig.run(10_000, () => {
      if (rig.call()) passed++;
    });
    expect(passed).toBe(0);
  });

  it('ramps by its own clock after three successes of the fleet, and closes', () => {
    const rig = new Rig();
    rig.hearOpen();
    rig.caller.hurry(key, rig.nowMs);
    rig.run(3000);
    const others = { ...identity, instance: 'orders-2' };
    for (const slot of [3, 3, 4, 5]) {
      rig.caller.onSlotResult({ v: 1, identity: others, target: key, membersHash: 'm', slot, ok: true }, rig.nowMs);
    }
    rig.run(150);
    expect(rig.breaker.fleetState).toBe(BreakerState.ramp);
    rig.run(3500);
    expect(rig.breaker.effectiveState).toBe(BreakerState.closed);
  });

  it('goes by its local breaker alone after 45 s, in the middle of 30 to 60', () => {
    const rig = new Rig();
    rig.hearOpen({ members: [] });
    rig.caller.hurry(key, rig.nowMs);
    rig.run(46_000);
    expect(rig.breaker.fleetState).toBe(BreakerState.open);
    rig.run(600);
    expect(rig.breaker.fleetState).toBe(BreakerState.closed);
    expect(rig.breaker.state).toBe(BreakerState.open);
    expect(rig.call()).toBe(true);
  });
});

describe('FleetCaller, asked how its own app is', () => {
  it('says so ten times a second for a second', () => {
    const rig = new Rig();
    rig.hear({ target: 'shop/orders', askTarget: true });
    rig.run(1500, () => {
      rig.traffic = { requests: rig.traffic.requests + 5, success: rig.traffic.success + 4, failure: 0 };
    });
    const rows = rig.sent.flatMap((message) => (message.kind === 'report' ? (message.report.targets ?? []) : []));
    const own = rows.filter((row) => row.target === 'shop/orders');
    expect(own.length).toBeGreaterThanOrEqual(9);
    expect(own[1]).toMatchObject({ n: 8, fail: 0, demand: 10 });
  });
});
