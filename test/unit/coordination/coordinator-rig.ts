/** Four callers that report every 100 ms to a coordinator, and time that is moved by hand. */
import { expect } from 'vitest';
import {
  BreakerCoordinator,
  coordinatorBounds,
  type EpochOf,
} from '../../../control-plane/coordination/breaker-coordinator.ts';
import { blankCounts } from '../../../proto/fleet-blanks.ts';
import type { Identity, ProbeToken, Report, TargetCounts, Verdict } from '../../../proto/fleet-messages.ts';
import { XorShift32 } from '../../../proto/kernel/random.ts';

export const target = 'shop/payments';
export const epoch = '1.1';

export class Fleet {
  readonly coordinator: BreakerCoordinator;
  readonly published: { atMs: number; verdict: Verdict }[] = [];
  nowMs = 100_000;
  callers = 4;
  /** What a report says: requests and failures of 100 ms. */
  counts = { n: 10, fail: 0 };
  epochSeen = epoch;
  generation: number | undefined;
  /** What becomes of the tokens that callers hold; undefined: they keep them. */
  probes: 'ok' | 'failed' | 'unused' | undefined;
  readonly held = new Map<string, readonly ProbeToken[]>();
  private seq = 0;

  constructor(coordinator = coordinatorFor(() => epoch)) {
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
    const { verdicts, grants } = this.coordinator.tick(this.nowMs, 1_000_000 + this.nowMs);
    for (const verdict of verdicts) this.published.push({ atMs: this.nowMs, verdict });
    for (const { to, tokens } of grants) this.held.set(to.instance, tokens);
    return [...verdicts];
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
        targets: [{ ...row(about, generation, this.counts.n, this.counts.fail), ...this.tokensOf(instance) }],
        quotas: [],
        ...change,
      },
      this.nowMs,
    );
  }

  private tokensOf(instance: string): Partial<TargetCounts> {
    const tokens = this.held.get(instance);
    if (tokens === undefined) return {};
    const held = tokens.length;
    const used = this.probes === 'unused' || this.probes === undefined ? 0 : held;
    return {
      round: tokens[0]!.round,
      tokensHeld: held,
      tokensUsed: used,
      probesOk: this.probes === 'ok' ? held : 0,
      probesFailed: this.probes === 'failed' ? held : 0,
      tokensLive: this.probes === undefined,
    };
  }

  get view() {
    return this.coordinator.view(target);
  }

  states(): string[] {
    const states = this.published.map(({ verdict }) => `${verdict.state} ${verdict.generation}`);
    return states.filter((state, index) => state !== states[index - 1]);
  }
}

export function coordinatorFor(epochOf: EpochOf, bounds = coordinatorBounds): BreakerCoordinator {
  return new BreakerCoordinator({ random: new XorShift32(1), epochOf, bounds });
}

export function identity(instance: string, incarnation = 'a'): Identity {
  return { namespace: 'shop', service: 'orders', instance, incarnation, zone: '', version: '' };
}

export function row(about: string, generation: number, n: number, fail: number, demand = 10) {
  return { ...blankCounts, target: about, generation, n, fail, demand };
}

export const healthy = { n: 10, fail: 0 };
export const failing = { n: 10, fail: 10 };
export const refused = { n: 0, fail: 0 };

export function opened(): Fleet {
  const fleet = new Fleet().run(1000);
  fleet.counts = failing;
  fleet.run(300);
  expect(fleet.view?.state).toBe('open');
  fleet.counts = refused;
  return fleet;
}
