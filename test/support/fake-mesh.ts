/** A proxy as the control link sees it, with real breakers and counts, but no traffic of its own. */
import type { Endpoint } from '../../proto/fleet-messages.ts';
import { XorShift32 } from '../../proto/kernel/random.ts';
import type { Bundle } from '../../proto/policy/bundle.ts';
import type { BundleVerdict, Mesh, TargetLink } from '../../sidecar/io/control-link/mesh.ts';
import { Breaker, type BreakerSettings } from '../../sidecar/resilience/breaker.ts';
import { Outcome } from '../../sidecar/resilience/outcome.ts';
import { TargetCounts } from '../../sidecar/resilience/target-counts.ts';

/** A breaker that never opens by what it sees itself: what opens it is the fleet. */
const neverByItself: BreakerSettings = {
  consecutiveFailures: 0,
  failureRatio: null,
  slowCalls: null,
  openForMs: 1000,
  openForMaxMs: 15_000,
  probes: 3,
  probeTimeoutMs: 1000,
};

export class FakeTarget implements TargetLink {
  readonly key: string;
  readonly breaker: Breaker;
  readonly counts = new TargetCounts();
  endpoints: readonly Endpoint[] = [];
  onFailure?: (() => void) | undefined;
  onProbe?: (() => void) | undefined;

  constructor(key: string, settings: Partial<BreakerSettings>) {
    this.key = key;
    this.breaker = new Breaker({ ...neverByItself, ...settings });
  }

  setEndpoints(endpoints: readonly Endpoint[]): void {
    this.endpoints = endpoints;
  }

  /** One request as the exchange would send it; false when the breaker refused it. */
  call(healthy: boolean): boolean {
    this.counts.recordDemand();
    if (this.breaker.tryAcquire(performance.now()) > 0) return false;
    const { lastAcquireWasProbe, generation } = this.breaker;
    const outcome = healthy ? Outcome.success : Outcome.failure;
    this.counts.recordOutcome(outcome, 1, '127.0.0.1:1');
    this.breaker.record(outcome, 1, lastAcquireWasProbe, generation, performance.now());
    if (!healthy) this.onFailure?.();
    if (lastAcquireWasProbe) this.onProbe?.();
    return true;
  }
}

export class FakeMesh implements Mesh {
  readonly identity;
  readonly random;
  readonly applied: Bundle[] = [];
  readonly logged: { level: string; message: string; fields: Readonly<Record<string, unknown>> }[] = [];
  readonly log = (level: string, message: string, fields: Readonly<Record<string, unknown>>): void => {
    this.logged.push({ level, message, fields });
  };
  answer: BundleVerdict = { status: 'applied', message: '' };
  draining = false;
  private readonly targets: FakeTarget[] = [];
  private readonly callbacks: ((target: TargetLink) => void)[] = [];

  constructor(instance: string, service = 'orders', seed = 1) {
    this.identity = { namespace: 'shop', service, instance, incarnation: `${instance}-1`, zone: '', version: 'test' };
    this.random = new XorShift32(seed);
  }

  useTarget(key: string, breaker: Partial<BreakerSettings> = {}): FakeTarget {
    const target = new FakeTarget(key, breaker);
    this.targets.push(target);
    for (const callback of this.callbacks) callback(target);
    return target;
  }

  advertise(): string {
    return '127.0.0.1:15006';
  }

  isDraining(): boolean {
    return this.draining;
  }

  drain(): void {
    this.draining = true;
  }

  targetsInUse(): Iterable<TargetLink> {
    return this.targets;
  }

  onTargetUsed(callback: (target: TargetLink) => void): void {
    this.callbacks.push(callback);
  }

  applyBundle(_target: string, bundle: Bundle): BundleVerdict {
    if (this.answer.status === 'applied') this.applied.push(bundle);
    return this.answer;
  }

  fleetLimits(): [] {
    return [];
  }

  policyVersion(): number {
    return 0;
  }

  heartbeatTraffic(): [] {
    return [];
  }

  process() {
    return { rssBytes: 1, heapBytes: 1, bufferedBytes: 0, loopLagMs: 0, connections: 0, streams: 0, uptimeMs: 1 };
  }

  async rehearse(policy: string) {
    return { ok: true, message: '', json: JSON.stringify({ rehearsed: policy.length }) };
  }

  dump(): unknown {
    return { instance: this.identity.instance };
  }

  nowMs(): number {
    return performance.now();
  }
}
