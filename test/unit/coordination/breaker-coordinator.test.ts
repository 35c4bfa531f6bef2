/** The coordinator: its steps, what it publishes when, and what it does not count. */
import { describe, expect, it } from 'vitest';
import type { Verdict } from '../../../proto/fleet-messages.ts';
import {
  coordinatorFor,
  epoch,
  Fleet,
  failing,
  healthy,
  identity,
  opened,
  refused,
  row,
  target,
} from './coordinator-rig.ts';

describe('BreakerCoordinator', () => {
  it('opens, cools for 1 s, probes with five tokens, ramps and closes', () => {
    const fleet = opened().run(1000);
    expect(fleet.view?.state).toBe('half_open');
    expect([...fleet.held.values()].flat().map(({ k }) => k)).toEqual([0, 1, 2, 3, 4]);
    fleet.probes = 'ok';
    fleet.counts = { n: 2, fail: 0 };
    fleet.run(100);
    expect(fleet.view).toMatchObject({ state: 'ramp', evidence: { text: '5 of 5 probes succeeded', rule: 'probes' } });
    fleet.run(2500);
    const states = fleet.published.filter(({ verdict }) => verdict.evidence?.rule !== '').map(({ verdict }) => verdict);
    expect(fleet.states().filter((state) => !state.startsWith('ramp'))).toEqual([
      'closed 0',
      'open 1',
      'half_open 2',
      'closed 9',
    ]);
    const allowed = states.filter(({ state }) => state === 'ramp').map(({ allow }) => allow);
    expect([...new Set(allowed)]).toEqual([0.05, 0.1, 0.2, 0.4, 0.8, 1]);
    expect(fleet.view).toMatchObject({ openedAtWallMs: null, coolMs: 0, evidence: { rule: 'ramp' } });
  });

  it('gives no second token of a round, and none to a caller that was not heard lately', () => {
    const fleet = opened();
    fleet.callers = 3;
    fleet.run(1000);
    expect([...fleet.held.keys()].sort()).toEqual(['orders-0', 'orders-1', 'orders-2']);
    fleet.held.clear();
    fleet.run(1100);
    expect(fleet.held.size).toBe(0);
  });

  it('says why, since when, for how long', () => {
    const { published } = opened();
    const { verdict, atMs } = published.find((each) => each.verdict.state === 'open')!;
    expect(verdict).toMatchObject({ target, epoch, generation: 1, ttlMs: 1500, coolMs: 1000, allow: 0, zone: '' });
    expect(verdict.openedAtWallMs).toBe(1_000_000 + atMs);
    expect(verdict.evidence).toMatchObject({ voters: 4, failingVoters: 4, quorum: 3, windowMs: 300 });
    expect(verdict.evidence?.text).toMatch(/^4 of 4 callers, \d+\/\d+ failed$/);
    expect(verdict.evidence?.worst).toHaveLength(4);
  });

  it('opens again with the cool time doubled, up to 2 s, when probes fail', () => {
    const fleet = opened().run(1000);
    const cools: number[] = [];
    fleet.probes = 'failed';
    for (let round = 0; round < 3; round++) {
      expect(fleet.view?.state).toBe('half_open');
      fleet.run(100);
      expect(fleet.view?.state).toBe('open');
      cools.push(fleet.view!.coolMs);
      fleet.run(2000);
    }
    expect(cools).toEqual([2000, 2000, 2000]);
  });

  it('takes for failed what is not reported until the tokens are dead and 200 ms more', () => {
    const fleet = opened().run(1000);
    fleet.run(fleet.view!.sinceMs + 1150 - fleet.nowMs);
    expect(fleet.view?.state).toBe('half_open');
    fleet.run(50);
    expect(fleet.view?.state).toBe('open');
  });

  it('asks others when the tokens were not used, since that says nothing about the target', () => {
    const fleet = opened().run(1000);
    const { generation } = fleet.view!;
    fleet.probes = 'unused';
    fleet.run(100);
    expect(fleet.view).toMatchObject({ state: 'half_open', generation: generation + 1 });
  });

  it('lets one caller ask the target itself when nobody wants anything', () => {
    const fleet = opened();
    for (let i = 0; i < 35; i++) {
      fleet.nowMs += 100;
      for (let caller = 0; caller < 4; caller++) {
        fleet.report(`orders-${caller}`, { targets: [row(target, fleet.view!.generation, 0, 0, 0)] });
      }
      if (i > 30) fleet.tick();
    }
    expect([...fleet.held.values()].flat()).toMatchObject([{ k: 0, healthCheck: true }]);
  });

  it('opens again from the ramp when requests fail', () => {
    const fleet = opened().run(1000);
    fleet.probes = 'ok';
    fleet.run(100);
    expect(fleet.view?.state).toBe('ramp');
    fleet.counts = failing;
    fleet.run(100);
    expect(fleet.view).toMatchObject({ state: 'open', coolMs: 2000, evidence: { rule: 'ramp' } });
  });

  it('publishes changes at once, snapshots every 500 ms while open and every 2 s while closed', () => {
    const times = (fleet: Fleet) => fleet.published.map(({ atMs }) => atMs).slice(1);
    const closed = new Fleet().run(6500);
    expect(times(closed).map((atMs, index, all) => (index === 0 ? 2000 : atMs - all[index - 1]!))).toEqual([
      2000, 2000, 2000,
    ]);
    const open = opened();
    open.published.length = 0;
    open.run(950);
    expect(open.published.map(({ verdict }) => verdict.state)).toEqual(['open', 'half_open']);
  });

  it('does not count what was counted under an older generation', () => {
    const fleet = opened().run(1000);
    fleet.generation = fleet.view!.generation - 1;
    fleet.counts = failing;
    fleet.run(1000);
    expect(fleet.view?.state).toBe('half_open');
  });

  it('counts the same report once', () => {
    const fleet = new Fleet().run(1000);
    fleet.counts = { n: 1, fail: 1 };
    for (let again = 0; again < 20; again++) {
      for (let i = 0; i < 4; i++) fleet.report(`orders-${i}`, { seq: 1_000_000 });
    }
    fleet.tick();
    expect(fleet.view?.state).toBe('closed');
  });

  it('forgets what a former incarnation counted once the new one speaks', () => {
    const fleet = new Fleet().run(1000);
    expect(fleet.view?.callers).toBe(4);
    fleet.coordinator.onHeartbeat(identity('orders-0', 'b'), fleet.nowMs);
    expect(fleet.view?.callers).toBe(3);
    fleet.report('orders-0');
    expect(fleet.view?.callers).toBe(3);
  });

  it('asks all callers with demand in the last 10 s, also those that are silent', () => {
    const fleet = new Fleet();
    fleet.callers = 10;
    fleet.run(1000);
    fleet.callers = 4;
    fleet.counts = failing;
    fleet.run(8000);
    expect(fleet.view).toMatchObject({ state: 'closed', callers: 10 });
    fleet.run(3000);
    expect(fleet.view?.state).toBe('open');
  });

  it('never opens a target whose policy switched it off, and closes it when that happens while it is open', () => {
    const fleet = opened();
    expect(fleet.coordinator.setFleetEnabled(target, false)).toBe(true);
    fleet.run(100);
    expect(fleet.view).toMatchObject({ state: 'closed', generation: 2 });
    fleet.counts = failing;
    fleet.run(5000);
    expect(fleet.view?.state).toBe('closed');
    fleet.coordinator.setFleetEnabled(target, true);
    fleet.run(300);
    expect(fleet.view?.state).toBe('open');
  });

  it('adopts what stands, announces it under its own epoch and goes on from there', () => {
    const { published } = opened();
    const standing = published.findLast(({ verdict }) => verdict.state === 'open')!.verdict;
    let own = '';
    const fleet = new Fleet(coordinatorFor(() => own));
    expect(fleet.coordinator.adopt(standing, fleet.nowMs)).toBe(true);
    expect(fleet.tick(), 'another leads').toEqual([]);
    own = '1.2';
    fleet.epochSeen = '1.2';
    const takenOver = { target, state: 'open', epoch: '1.2', generation: standing.generation + 1, members: [] };
    expect(fleet.tick()).toMatchObject([{ ...takenOver, membersHash: standing.membersHash }]);
    fleet.counts = refused;
    // The tokens of its predecessor may still be used.
    fleet.run(1150);
    expect(fleet.view?.state).toBe('open');
    fleet.run(50);
    expect(fleet.view).toMatchObject({ state: 'half_open', epoch: '1.2' });
  });

  it('goes on with the ramp that stands when it begins to lead', () => {
    const fleet = new Fleet(coordinatorFor(() => own));
    let own = '';
    const { published } = opened();
    const { verdict } = published.at(-1)!;
    fleet.coordinator.adopt({ ...verdict, state: 'ramp', generation: 9, allow: 0.2 }, fleet.nowMs);
    own = '1.2';
    expect(fleet.tick()).toMatchObject([{ state: 'ramp', generation: 10, allow: 0.2, epoch: '1.2' }]);
  });

  it('begins with the ramp when three probes in time slots have succeeded meanwhile', () => {
    let own = '';
    const fleet = new Fleet(coordinatorFor(() => own));
    const { verdict } = opened().published.find((each) => each.verdict.state === 'open')!;
    fleet.coordinator.adopt(verdict, fleet.nowMs);
    for (const slot of [4, 5, 5, 6]) {
      const { membersHash } = verdict;
      const result = { v: 1, identity: identity('orders-0'), target, membersHash, slot, ok: true };
      fleet.coordinator.onSlotResult(result, fleet.nowMs);
    }
    own = '1.2';
    expect(fleet.tick()).toMatchObject([{ state: 'ramp', allow: 0.05 }]);
  });

  it('learns from its callers that a verdict stands which it has never heard', () => {
    const fleet = new Fleet();
    fleet.epochSeen = '1.0';
    const claim = { fleetState: 'open', openedAtWallMs: 77, membersHash: 'abc' };
    for (let i = 0; i < 4; i++) {
      const said = i === 0 ? row(target, 0, 5, 5) : { ...row(target, 6, 0, 0), ...claim };
      fleet.report(`orders-${i}`, { targets: [said] });
    }
    fleet.nowMs += 300;
    expect(fleet.tick()).toMatchObject([{ state: 'open', generation: 7, openedAtWallMs: 77, membersHash: 'abc' }]);
  });

  it('does not believe a single caller that a verdict stands', () => {
    const fleet = new Fleet();
    const claim = { fleetState: 'open', openedAtWallMs: 77, membersHash: 'abc' };
    for (let i = 0; i < 4; i++) {
      fleet.report(`orders-${i}`, {
        targets: [i === 0 ? { ...row(target, 6, 0, 0), ...claim } : row(target, 0, 5, 0)],
      });
    }
    fleet.nowMs += 300;
    expect(fleet.tick()).toMatchObject([{ state: 'closed', generation: 0 }]);
  });

  it('speaks only of the targets that it leads, each under its own epoch', () => {
    const epochs: Record<string, string> = { [target]: '1.7', 'shop/billing': '1.9' };
    const fleet = new Fleet(coordinatorFor((about) => epochs[about] ?? ''));
    for (const about of [...Object.keys(epochs), 'shop/others']) fleet.report('orders-0', {}, about);
    fleet.nowMs += 300;
    expect(fleet.tick().map((verdict) => [verdict.target, verdict.epoch])).toEqual(Object.entries(epochs));
    epochs['shop/others'] = '1.12';
    delete epochs[target];
    expect(fleet.tick().map((verdict) => [verdict.target, verdict.epoch])).toEqual([['shop/others', '1.12']]);
  });

  it('does not adopt an older epoch, an older generation or a state it does not know', () => {
    const fleet = opened();
    const { verdict } = fleet.published.at(-1)!;
    const adopt = (change: Partial<Verdict>) => fleet.coordinator.adopt({ ...verdict, ...change }, fleet.nowMs);
    expect(adopt({ epoch: '1.0', generation: 99, state: 'closed' })).toBe(false);
    expect(adopt({ generation: 9, state: 'closed' }), 'its own epoch').toBe(false);
    fleet.coordinator.adopt({ ...verdict, epoch: '1.4', generation: 5 }, fleet.nowMs);
    expect(adopt({ epoch: '1.4', generation: 4, state: 'closed' })).toBe(false);
    expect(adopt({ epoch: '1.5', generation: 99, state: 'ajar' })).toBe(false);
    expect(fleet.view).toMatchObject({ state: 'open', generation: 5, epoch: '1.4' });
  });

  it('forgets a target after a minute, and does not begin below its generation when it is back', () => {
    const fleet = opened().run(1000);
    const { generation } = fleet.view!;
    fleet.callers = 0;
    fleet.run(62_000);
    expect(fleet.view).toBeUndefined();
    fleet.callers = 4;
    fleet.counts = healthy;
    fleet.run(400);
    expect(fleet.view?.state).toBe('closed');
    expect(fleet.view?.generation).toBeGreaterThanOrEqual(generation);
  });

  it('ignores rows that cannot be true', () => {
    const fleet = new Fleet();
    fleet.report('orders-0', { targets: [row(target, 0, 1, 2), row('not a service', 0, 1, 1)] });
    expect(fleet.coordinator.views()).toEqual([]);
  });
});
