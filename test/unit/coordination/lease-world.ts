/** Control planes that share one key over a bad network: messages are late or lost, processes stall, clocks drift. */
import {
  LeaderLease,
  type LeaseAction,
  type LeaseRecord,
  type LeaseResult,
} from '../../../control-plane/coordination/leader-lease.ts';
import { LossyWorld, type LossyWorldOptions } from './lossy-world.ts';

export type LeaseWorldOptions = LossyWorldOptions;

export class LeaseWorld extends LossyWorld<LeaseWorldOptions> {
  private readonly nodes: LeaseNode[];
  private revision = 0;
  private record: LeaseRecord | null = null;

  constructor(options: LeaseWorldOptions) {
    super(options);
    this.nodes = Array.from({ length: options.nodes }, (_, index) => new LeaseNode(this, `cp-${index}`));
  }

  protected override onStep(): void {
    for (const node of this.nodes) node.step(this.nowMs);
  }

  leaders(): LeaseNode[] {
    return this.nodes.filter((node) => node.isLeader());
  }

  send(action: LeaseAction, answer: (result: LeaseResult) => void): void {
    this.post(() => {
      const result = this.store(action);
      this.post(() => answer(result));
    });
  }

  private store(action: LeaseAction): LeaseResult {
    if (action.kind !== 'write') {
      return { kind: 'read', revision: this.revision, record: this.record, streamCreatedMs: 1 };
    }
    if (action.expectedRevision !== this.revision) return { kind: 'conflict' };
    this.revision++;
    this.record = action.record;
    return { kind: 'written', revision: this.revision, streamCreatedMs: 1 };
  }
}

class LeaseNode {
  private readonly world: LeaseWorld;
  private readonly lease: LeaderLease;
  private readonly offsetMs: number;
  private readonly rate: number;
  private clockMs = 0;
  private stalledUntilMs = 0;
  private alive = true;
  private waiting: (() => void)[] = [];

  constructor(world: LeaseWorld, holder: string) {
    this.world = world;
    const { random } = world;
    this.offsetMs = random.next() * 1_000_000;
    this.rate = 1 + (world.options.driftShare ?? 0) * (random.next() - 0.5);
    this.clockMs = this.offsetMs;
    this.lease = new LeaderLease({ holder, incarnation: 'a', random });
  }

  isLeader(): boolean {
    return this.alive && this.lease.isLeader(this.clockMs);
  }

  epoch(): string {
    return this.lease.epoch(this.clockMs);
  }

  kill(): void {
    this.alive = false;
  }

  release(): void {
    const action = this.lease.release(this.clockMs);
    if (action) this.world.send(action, () => {});
  }

  /** A stalled process neither reads its clock nor its mail, but time passes for it. */
  step(nowMs: number): void {
    this.clockMs = this.offsetMs + nowMs * this.rate;
    if (!this.alive || nowMs < this.stalledUntilMs) return;
    for (const deliver of this.waiting.splice(0)) deliver();
    if (this.world.random.next() < this.world.options.stallShare) {
      this.stalledUntilMs = nowMs + this.world.random.next() * 3000;
      return;
    }
    const action = this.lease.next(this.clockMs);
    if (action.kind === 'wait') return;
    this.world.send(action, (result) => {
      this.waiting.push(() => this.lease.onResult(action.id, result, this.clockMs));
    });
  }
}
