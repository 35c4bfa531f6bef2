/** The coordinator: its steps, what it publishes when, what it does not count, and what happens at its bounds. */
import { describe, expect, it } from 'vitest';
import { BreakerCoordinator, coordinatorBounds } from '../../../control-plane/coordination/breaker-coordinator.ts';
import { blankCounts } from '../../../proto/fleet-blanks.ts';
import type { Identity, Report, Verdict } from '../../../proto/fleet-messages.ts';

const target = 'shop/payments';
const epoch = '1.1';

/** Four callers that report every 100 ms, and time that is moved by hand. */
class Fleet {
  readonly coordinator: BreakerCoordinator;
  readonly published: { atMs: number; verdict: Verdict }[] = [];
  nowMs = 100_000;
  callers = 4;
  /** What a report says: requests and failures of 100 ms. */
  counts = { n: 10, fail: 0 };
  epochSeen = epoch;
  generation: number | undefined;
  private seq = 0;

  constructor(coordinator = new BreakerCoordinator(() => epoch)) {
    this.coordinator = coordinator;
  }

  run(ms: number): this {
    for (const untilMs = this.nowMs + ms; this.nowMs < untilMs; ) {
      this.nowMs += 50;
      if (this.nowMs % 100 === 0) for (let i = 0; i < this.callers; i++) this.report(`orders-${i}`);
      this.tick();
    }
    return this;
  }

  tick(): Verdict[] {
    const verdicts = this.coordinator.tick(this.nowMs, 1_000_000 + this.nowMs);
    for (const verdict of verdicts) this.published.push({ atMs: this.nowMs, verdict });
    return verdicts;
  }

  report(instance: string, change: Partial<Report> = {}, about = target): void {
    const generation = this.generation ?? this.coordinator.view(about)?.generation ?? 0;
    this.coordinator.onReport(
      {
        v: 1,
        identity: identity(instance),
        epochSeen: this.epochSeen,
        seq: ++this.seq,
        intervalMs: 100,
        targets: [row(about, generation, this.counts.n, this.counts.fail)],
        quotas: [],
        ...change,
      },
      this.nowMs,
    );
  }

  get view() {
    return this.coordinator.view(target);
  }

  states(): string[] {
    const states = this.published.map(({ verdict }) => `${verdict.state} ${verdict.generation}`);
    return states.filter((state, index) => state !== states[index - 1]);
  }
}

function identity(instance: string, incarnation = 'a'): Identity {
  return { namespace: 'shop', service: 'orders', instance, incarnation, zone: '', version: '' };
}

function row(about: string, generation: number, n: number, fail: number, demand = 10) {
  return { ...blankCounts, target: about, generation, n, fail, demand };
}

const healthy = { n: 10, fail: 0 };
const failing = { n: 10, fail: 10 };
const refused = { n: 0, fail: 0 };

function opened(): Fleet {
  const fleet = new Fleet().run(1000);
  fleet.counts = failing;
  fleet.run(300);
  expect(fleet.view?.state).toBe('open');
  fleet.counts = refused;
  return fleet;
}

describe('BreakerCoordinator', () => {
  it('opens, cools for 1 s, half-opens and closes when the probes succeed', () => {
    const fleet = opened().run(1000);
    expect(fleet.view?.state).toBe('half_open');
    fleet.counts = { n: 2, fail: 0 };
    fleet.run(200);
    expect(fleet.states()).toEqual(['closed 0', 'open 1', 'half_open 2', 'closed 3']);
    expect(fleet.view).toMatchObject({
      openedAtWallMs: null,
      coolMs: 0,
      evidence: { text: '8 of 8 probes succeeded' },
    });
  });

  it('says why, since when, for how long', () => {
    const { published } = opened();
    const { verdict, atMs } = published.find((each) => each.verdict.state === 'open')!;
    expect(verdict).toMatchObject({ target, epoch, generation: 1, ttlMs: 3000, coolMs: 1000, allow: 0, zone: '' });
    expect(verdict.openedAtWallMs).toBe(1_000_000 + atMs);
    expect(verdict.evidence).toMatchObject({ voters: 4, failingVoters: 4, quorum: 3, windowMs: 300 });
    expect(verdict.evidence?.text).toMatch(/^4 of 4 callers, \d+\/\d+ failed$/);
    expect(verdict.evidence?.worst).toHaveLength(4);
  });

  it('opens again with the cool time doubled, up to 2 s for few callers, when probes fail', () => {
    const fleet = opened().run(1000);
    const cools: number[] = [];
    for (let round = 0; round < 3; round++) {
      expect(fleet.view?.state).toBe('half_open');
      fleet.counts = { n: 2, fail: 1 };
      fleet.run(100);
      expect(fleet.view?.state).toBe('open');
      cools.push(fleet.view!.coolMs);
      fleet.counts = refused;
      fleet.run(2000);
    }
    expect(cools).toEqual([2000, 2000, 2000]);
  });

  it('closes at 80 % of the probes and not below', () => {
    for (const [fail, state] of [
      [1, 'closed'],
      [2, 'open'],
    ] as const) {
      const fleet = opened().run(1000);
      fleet.counts = refused;
      fleet.run(100);
      const { generation } = fleet.view!;
      fleet.report('orders-0', { targets: [row(target, generation, 5, fail)] });
      fleet.tick();
      expect(fleet.view?.state).toBe(state);
    }
  });

  it('stays half-open while nothing is heard, and asks again every 2 s those that have demand', () => {
    const fleet = opened().run(1000);
    const { generation } = fleet.view!;
    fleet.run(6000);
    expect(fleet.view).toMatchObject({ state: 'half_open', generation: generation + 3 });
    fleet.callers = 0;
    fleet.run(60_000);
    const quiet = fleet.view!.generation;
    fleet.run(60_000);
    expect(fleet.view).toMatchObject({ state: 'half_open', generation: quiet });
  });

  it('keeps what few probes said until more are heard', () => {
    const fleet = opened().run(1000);
    for (let result = 0; result < 4; result++) {
      expect(fleet.view?.state).toBe('half_open');
      fleet.report('orders-0', { targets: [row(target, fleet.view!.generation, 1, 0)] });
      fleet.run(2500);
    }
    expect(fleet.view?.state).toBe('closed');
  });

  it('opens again when the few probes that were heard failed', () => {
    const fleet = opened().run(1000);
    fleet.report('orders-0', { targets: [row(target, fleet.view!.generation, 1, 1)] });
    fleet.run(1900);
    expect(fleet.view?.state).toBe('half_open');
    fleet.run(200);
    expect(fleet.view?.state).toBe('open');
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
    const fleet = new Fleet(new BreakerCoordinator(() => own));
    expect(fleet.coordinator.adopt(standing, fleet.nowMs)).toBe(true);
    expect(fleet.tick(), 'another leads').toEqual([]);
    own = '1.2';
    fleet.epochSeen = '1.2';
    expect(fleet.tick()).toMatchObject([{ ...standing, epoch: '1.2' }]);
    fleet.counts = refused;
    fleet.run(1000);
    expect(fleet.view).toMatchObject({ state: 'half_open', generation: 2, epoch: '1.2' });
  });

  it('speaks only of the targets that it leads, each under its own epoch', () => {
    const epochs: Record<string, string> = { [target]: '1.7', 'shop/billing': '1.9' };
    const fleet = new Fleet(new BreakerCoordinator((about) => epochs[about] ?? ''));
    for (const about of [...Object.keys(epochs), 'shop/others']) fleet.report('orders-0', {}, about);
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

  it('forgets a closed target after a minute, and does not begin below its generation when it is back', () => {
    const fleet = opened().run(1000);
    fleet.counts = healthy;
    fleet.run(300);
    const { generation } = fleet.view!;
    fleet.callers = 0;
    fleet.run(61_000);
    expect(fleet.view).toBeUndefined();
    fleet.callers = 4;
    fleet.run(100);
    expect(fleet.view).toMatchObject({ state: 'closed', generation });
  });

  it('ignores rows that cannot be true', () => {
    const fleet = new Fleet();
    fleet.report('orders-0', { targets: [row(target, 0, 1, 2), row('not a service', 0, 1, 1)] });
    expect(fleet.coordinator.views()).toEqual([]);
  });
});

describe('BreakerCoordinator at its bounds', () => {
  const bounded = (bounds: Partial<typeof coordinatorBounds>) =>
    new Fleet(new BreakerCoordinator(() => epoch, { ...coordinatorBounds, ...bounds }));

  it('hears no further target until one has become idle', () => {
    const fleet = bounded({ targetsMax: 2 });
    for (const about of ['shop/a', 'shop/b', 'shop/c']) fleet.report('orders-0', {}, about);
    expect(fleet.coordinator.views().map((view) => view.target)).toEqual(['shop/a', 'shop/b']);
    expect(fleet.coordinator.unheard).toBe(1);
    fleet.nowMs += 61_000;
    fleet.report('orders-0', {}, 'shop/c');
    expect(fleet.coordinator.view('shop/c')).toBeDefined();
  });

  it('hears no further caller of a target until one has lost its demand', () => {
    const fleet = bounded({ callersPerTargetMax: 3 });
    fleet.run(100);
    expect(fleet.view?.callers).toBe(3);
    expect(fleet.coordinator.unheard).toBe(1);
    fleet.nowMs += 11_000;
    fleet.report('orders-3');
    expect(fleet.view?.callers).toBe(1);
  });

  it('hears no further caller when all targets together have too many', () => {
    const fleet = bounded({ callersMax: 5 });
    fleet.run(100);
    for (let i = 0; i < 4; i++) fleet.report(`orders-${i}`, {}, 'shop/other');
    expect(fleet.coordinator.view('shop/other')?.callers).toBe(1);
  });

  it('hears no further reporter until one has been silent for 10 s', () => {
    const fleet = bounded({ reportersMax: 2 });
    fleet.run(100);
    expect(fleet.view?.callers).toBe(2);
    fleet.nowMs += 11_000;
    fleet.report('orders-3');
    expect(fleet.view?.callers).toBe(3);
  });

  it('says so when it cannot remember that a target is switched off', () => {
    const { coordinator } = bounded({ disabledMax: 1 });
    expect(coordinator.setFleetEnabled('shop/a', false)).toBe(true);
    expect(coordinator.setFleetEnabled('shop/a', false)).toBe(true);
    expect(coordinator.setFleetEnabled('shop/b', false)).toBe(false);
  });
});
