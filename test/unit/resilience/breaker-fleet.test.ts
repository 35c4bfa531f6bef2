/** The breaker under the fleet's verdict. */
import { describe, expect, it } from 'vitest';
import { Reason } from '../../../proto/reasons.ts';
import { BreakerState } from '../../../sidecar/resilience/breaker.ts';
import type { TokenReading } from '../../../sidecar/resilience/fleet-tokens.ts';
import { Outcome } from '../../../sidecar/resilience/outcome.ts';
import { BreakerRig } from './breaker-rig.ts';

describe('Breaker under a fleet verdict', () => {
  it('refuses while the fleet is open, though nothing failed here, until the fleet closes', () => {
    const rig = new BreakerRig();
    rig.fleet('open', 1, { coolMs: 800 });
    rig.wait(300);
    expect(rig.acquire()).toBe(500);
    expect(rig.breaker.refusalReason).toBe(Reason.fleetBreakerOpen);
    expect([rig.breaker.state, rig.breaker.fleetState, rig.breaker.effectiveState]).toEqual([
      BreakerState.closed,
      BreakerState.open,
      BreakerState.open,
    ]);
    rig.fleet('closed', 2);
    expect(rig.begin().probe).toBe(false);
  });

  it('falls back on its own judgement when the verdict is not renewed', () => {
    const rig = new BreakerRig();
    rig.fleet('open', 1);
    rig.wait(1499);
    expect(rig.acquire()).toBe(1);
    rig.wait(1);
    rig.begin();
    expect(rig.breaker.fleetState).toBe(BreakerState.closed);
  });

  it('shows a verdict as gone once tick() has seen its time pass, without traffic', () => {
    const rig = new BreakerRig();
    rig.fleet('open', 1);
    rig.wait(1500);
    rig.breaker.tick(rig.nowMs);
    expect(rig.breaker.fleetState).toBe(BreakerState.closed);
  });

  it('stays shut for as long as the verdict is renewed', () => {
    const rig = new BreakerRig();
    for (let i = 0; i < 20; i++) {
      rig.fleet('open', 1);
      rig.wait(500);
      expect(typeof rig.acquire()).toBe('number');
    }
  });

  it('drops what is older by epoch, then by generation, also after the verdict has expired', () => {
    const rig = new BreakerRig();
    rig.fleet('closed', 7, { epoch: 'b' });
    rig.fleet('open', 9, { epoch: 'a' });
    rig.fleet('open', 6, { epoch: 'b' });
    rig.begin();
    rig.fleet('open', 8, { epoch: 'b' });
    rig.wait(1500);
    rig.begin();
    rig.fleet('open', 7, { epoch: 'b' });
    rig.begin();
    rig.fleet('open', 1, { epoch: 'c' });
    expect(typeof rig.acquire()).toBe('number');
  });

  it('ignores a word that it does not know', () => {
    const rig = new BreakerRig();
    rig.fleet('half_shut', 5);
    rig.begin();
    expect(rig.breaker.fleetGeneration).toBe(0);
  });

  it('forgets the fleet altogether when it is told that there is none', () => {
    const rig = new BreakerRig();
    rig.fleet('open', 5);
    rig.breaker.applyFleet(null, rig.nowMs);
    rig.begin();
    rig.fleet('open', 1);
    expect(typeof rig.acquire()).toBe('number');
  });

  it('does not half-open by itself while the fleet is open', () => {
    const rig = new BreakerRig();
    rig.fail(5);
    for (let i = 0; i < 10; i++) {
      rig.fleet('open', 1);
      rig.wait(1000);
      expect(typeof rig.acquire()).toBe('number');
    }
    expect(rig.breaker.state).toBe(BreakerState.open);
  });

  it('goes back to open from half-open when a verdict comes, and forgets its round', () => {
    const rig = new BreakerRig();
    rig.fail(5);
    rig.wait(1000);
    const probe = rig.begin();
    rig.fleet('open', 1);
    expect(rig.breaker.state).toBe(BreakerState.open);
    rig.end(probe, Outcome.success);
    expect(rig.breaker.state).toBe(BreakerState.open);
  });

  it('closes with the fleet what opened while the verdict stood', () => {
    const rig = new BreakerRig();
    const calls = Array.from({ length: 5 }, () => rig.begin());
    rig.fleet('open', 4);
    for (const call of calls) rig.end(call, Outcome.failure);
    expect(rig.breaker.state).toBe(BreakerState.open);
    rig.fleet('closed', 4);
    expect(rig.breaker.state).toBe(BreakerState.closed);
    expect(rig.breaker.cause).toBe('the fleet is closed, generation 4');
  });

  it('closes with the fleet what opened on the same failures, just before the verdict', () => {
    const rig = new BreakerRig();
    rig.fail(5);
    rig.wait(400);
    rig.fleet('open', 4);
    rig.wait(1000);
    rig.fleet('ramp', 4, { allow: 1 });
    expect(rig.breaker.state).toBe(BreakerState.closed);
    expect(rig.begin().probe).toBe(false);
  });

  it('leaves to itself a breaker that opened long before: it recovers by its own probes', () => {
    const rig = new BreakerRig();
    rig.fail(5);
    rig.wait(1000);
    rig.fail();
    rig.wait(3500);
    rig.fleet('open', 4);
    rig.fleet('closed', 5);
    expect(rig.breaker.state).toBe(BreakerState.open);
    expect(rig.begin().probe).toBe(true);
  });

  it('does not open in the ramp on calls that began before the fleet opened', () => {
    const rig = new BreakerRig();
    const old = Array.from({ length: 5 }, () => rig.begin());
    rig.fleet('open', 1);
    rig.fleet('ramp', 1, { allow: 1 });
    for (const call of old) rig.end(call, Outcome.failure);
    expect(rig.breaker.state).toBe(BreakerState.closed);
    rig.fail(5);
    expect(rig.breaker.state).toBe(BreakerState.open);
  });
});

describe('Breaker with probe tokens', () => {
  function open(): BreakerRig {
    const rig = new BreakerRig();
    rig.fail(5);
    rig.fleet('open', 1);
    return rig;
  }

  function reading(rig: BreakerRig): TokenReading {
    const into = { round: 0, held: 0, used: 0, ok: 0, failed: 0, live: false };
    rig.breaker.readTokens(into, rig.nowMs);
    return into;
  }

  it('lets out one request for each token, whatever the local state, and leaves the decision to the fleet', () => {
    const rig = open();
    expect(rig.breaker.grant(7, 2, rig.nowMs + 1000)).toBe(true);
    const probes = [rig.begin(), rig.begin()];
    expect(probes.every((call) => call.probe)).toBe(true);
    expect(typeof rig.acquire()).toBe('number');
    expect(rig.breaker.refusalReason).toBe(Reason.fleetBreakerOpen);
    rig.end(probes[0]!, Outcome.success);
    rig.end(probes[1]!, Outcome.failure);
    expect(reading(rig)).toEqual({ round: 7, held: 2, used: 2, ok: 1, failed: 1, live: false });
    expect(rig.breaker.state).toBe(BreakerState.open);
  });

  it('takes a round once, and no earlier one', () => {
    const rig = open();
    rig.breaker.grant(7, 1, rig.nowMs + 1000);
    rig.begin();
    expect(rig.breaker.grant(7, 1, rig.nowMs + 1000)).toBe(false);
    expect(rig.breaker.grant(6, 1, rig.nowMs + 1000)).toBe(false);
    expect(typeof rig.acquire()).toBe('number');
  });

  it('has no use for a token that is dead', () => {
    const rig = open();
    rig.breaker.grant(7, 1, rig.nowMs + 100);
    rig.wait(100);
    expect(typeof rig.acquire()).toBe('number');
    expect(reading(rig)).toEqual({ round: 7, held: 1, used: 0, ok: 0, failed: 0, live: false });
  });

  it('does as if a token had not been held when the probe said nothing', () => {
    const rig = open();
    rig.breaker.grant(7, 2, rig.nowMs + 1000);
    rig.end(rig.begin(), Outcome.ignored);
    expect(reading(rig)).toEqual({ round: 7, held: 1, used: 0, ok: 0, failed: 0, live: true });
  });

  it('does not take the late answer of one round for one of the next', () => {
    const rig = open();
    rig.breaker.grant(7, 1, rig.nowMs + 1000);
    const late = rig.begin();
    rig.breaker.grant(8, 1, rig.nowMs + 1000);
    rig.end(late, Outcome.failure);
    expect(reading(rig)).toMatchObject({ round: 8, used: 0, failed: 0 });
  });

  it('drops what it holds when the fleet lets requests through, and knows which calls began before', () => {
    const rig = open();
    rig.breaker.grant(7, 3, rig.nowMs + 1000);
    const probe = rig.begin();
    rig.fleet('ramp', 2, { allow: 1 });
    expect(reading(rig)).toMatchObject({ round: 7, held: 3, used: 1, live: false });
    expect(rig.breaker.countsForFleet(probe.generation)).toBe(false);
    expect(rig.breaker.countsForFleet(rig.begin().generation)).toBe(true);
  });

  it('does not probe for the fleet while it cools down for reasons of its own', () => {
    const rig = new BreakerRig({ openForMs: 4000 });
    rig.fail(5);
    rig.wait(3500);
    rig.fleet('half_open', 1);
    rig.breaker.grant(7, 1, rig.nowMs + 1000);
    expect(rig.acquire()).toBe(500);
    expect(rig.breaker.refusalReason).toBe(Reason.breakerOpen);
  });

  it('begins with probes of its own when the verdict has run out', () => {
    const rig = new BreakerRig();
    rig.fleet('open', 1);
    rig.wait(1500);
    expect(rig.begin().probe).toBe(true);
    expect(rig.diary).toContain('closed → open: the verdict of the fleet has run out');
  });
});

describe('Breaker in the fleet ramp', () => {
  it.each([
    [0, 0],
    [0.05, 50],
    [0.4, 400],
    [1, 1000],
    [7, 1000],
    [Number.NaN, 0],
  ])('lets exactly the share %d through', (allow, expected) => {
    const rig = new BreakerRig();
    rig.fleet('ramp', 1, { allow });
    let admitted = 0;
    for (let i = 0; i < 1000; i++) if (typeof rig.acquire() !== 'number') admitted++;
    expect(Math.abs(admitted - expected)).toBeLessThanOrEqual(1);
  });

  it('lets through a share of the demand before the opening, however much is wanted now', () => {
    const rig = new BreakerRig();
    rig.fleet('ramp', 1, { allow: 0.2, demandPerSecond: 100 });
    let admitted = 0;
    for (let i = 0; i < 1000; i++) {
      if (typeof rig.acquire() !== 'number') admitted++;
      rig.wait(1);
    }
    expect(admitted).toBe(19);
  });

  it('does not close at the next stage what opened in this one', () => {
    const rig = new BreakerRig();
    rig.fleet('ramp', 1, { allow: 1 });
    rig.fail(5);
    rig.fleet('ramp', 2, { allow: 1 });
    expect(rig.breaker.state).toBe(BreakerState.open);
  });

  it('still opens by itself when calls fail here, and closes with the fleet', () => {
    const rig = new BreakerRig();
    rig.fleet('ramp', 1, { allow: 1 });
    rig.fail(5);
    expect([rig.breaker.state, rig.breaker.effectiveState]).toEqual([BreakerState.open, BreakerState.open]);
    expect(rig.acquire()).toBe(1000);
    rig.fleet('closed', 2);
    expect(rig.breaker.state).toBe(BreakerState.closed);
  });

  it('keeps the probes of a local half-open when the fleet closes', () => {
    const rig = new BreakerRig();
    rig.fail(5);
    rig.wait(1000);
    const probes = [rig.begin(), rig.begin(), rig.begin()];
    rig.fleet('ramp', 1, { allow: 1 });
    expect(typeof rig.acquire()).toBe('number');
    rig.fleet('closed', 2);
    expect(typeof rig.acquire()).toBe('number');
    for (const probe of probes) rig.end(probe, Outcome.success);
    expect(rig.breaker.state).toBe(BreakerState.closed);
  });
});

describe('Breaker, forced by the fleet', () => {
  it('refuses everything or admits everything, until the expiry', () => {
    const rig = new BreakerRig();
    rig.fleet('forced_open', 1);
    expect(typeof rig.acquire()).toBe('number');
    rig.fleet('forced_closed', 2);
    rig.fail(5);
    expect(rig.breaker.state).toBe(BreakerState.open);
    rig.begin();
    rig.wait(1500);
    expect(rig.begin().probe).toBe(true);
    expect(typeof rig.breaker.effectiveState).toBe('number');
  });
});
