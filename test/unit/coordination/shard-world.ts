/**
 * Several control planes, one store of leases and a bad network between them: requests, the store's news and the word
 * that one lives are late or lost, processes stall, die and start again, clocks drift, the store is wiped.
 */

import type { LeaseRecord, LeaseResult } from '../../../control-plane/coordination/leader-lease.ts';
import { presenceEveryMs } from '../../../control-plane/coordination/members.ts';
import { type LeaseRequest, memberName, ShardLeases } from '../../../control-plane/coordination/shard-leases.ts';
import { leaseGroupCount } from '../../../control-plane/coordination/shard-owners.ts';
import { LossyWorld, type LossyWorldOptions } from './lossy-world.ts';

export interface ShardWorldOptions extends LossyWorldOptions {
  /** Chance per step that a process is killed and started again. */
  readonly restartShare?: number;
}

const groups = Array.from({ length: leaseGroupCount }, (_, group) => group);

interface Stored {
  readonly revision: number;
  readonly record: LeaseRecord;
}

export class ShardWorld extends LossyWorld<ShardWorldOptions> {
  readonly nodes: ShardNode[] = [];
  private stored = new Map<number, Stored>();
  private sequence = 0;
  private createdMs = 1;

  constructor(options: ShardWorldOptions) {
    super(options);
    for (let index = 0; index < options.nodes; index++) this.start(`cp-${index}`);
  }

  start(id: string): ShardNode {
    const node = new ShardNode(this, id, `i${this.nodes.length}`);
    this.nodes.push(node);
    return node;
  }

  wipe(): void {
    this.stored.clear();
    this.sequence = 0;
    this.createdMs++;
  }

  protected override onStep(): void {
    for (const node of [...this.nodes]) node.step(this.nowMs);
    const { restartShare = 0 } = this.options;
    for (const node of [...this.nodes]) {
      if (!node.alive || this.random.next() >= restartShare) continue;
      node.kill();
      this.start(node.id);
    }
  }

  leadersOf(group: number): ShardNode[] {
    return this.nodes.filter((node) => node.leads(group));
  }

  /** Every group has one. */
  allLed(): boolean {
    return groups.every((group) => this.leadersOf(group).length === 1);
  }

  send(request: LeaseRequest, answer: (result: LeaseResult) => void): void {
    this.post(() => {
      const result = this.store(request);
      this.post(() => answer(result));
    });
  }

  broadcast(tell: (node: ShardNode) => void): void {
    for (const node of this.nodes) if (node.alive) this.post(() => node.hear(() => tell(node)));
  }

  private store(request: LeaseRequest): LeaseResult {
    const { group } = request;
    const known = this.stored.get(group);
    const streamCreatedMs = this.createdMs;
    if (request.kind === 'read') {
      return { kind: 'read', revision: known?.revision ?? 0, record: known?.record ?? null, streamCreatedMs };
    }
    if (request.expectedRevision !== (known?.revision ?? 0)) return { kind: 'conflict' };
    const stored = { revision: ++this.sequence, record: request.record };
    this.stored.set(group, stored);
    this.broadcast((node) => node.seen(group, stored.revision, stored.record));
    return { kind: 'written', revision: stored.revision, streamCreatedMs };
  }
}

export class ShardNode {
  readonly id: string;
  alive = true;
  private readonly incarnation: string;
  private readonly world: ShardWorld;
  private readonly leases: ShardLeases;
  private readonly offsetMs: number;
  private readonly rate: number;
  private clockMs: number;
  private stalledUntilMs = 0;
  private presentAtMs = Number.NEGATIVE_INFINITY;
  private waiting: (() => void)[] = [];
  private unanswered = 0;

  constructor(world: ShardWorld, id: string, incarnation: string) {
    this.world = world;
    this.id = id;
    this.incarnation = incarnation;
    const { random, options } = world;
    this.offsetMs = random.next() * 1_000_000;
    this.rate = 1 + (options.driftShare ?? 0) * (random.next() - 0.5);
    this.clockMs = this.offsetMs + world.nowMs * this.rate;
    this.leases = new ShardLeases({ id, incarnation, random });
  }

  leads(group: number): boolean {
    return this.alive && this.leases.leads(group, this.clockMs);
  }

  epoch(group: number): string {
    return this.alive ? this.leases.epoch(group, this.clockMs) : '';
  }

  groups(): number[] {
    return groups.filter((group) => this.leads(group));
  }

  kill(): void {
    this.alive = false;
  }

  isAsking(): boolean {
    return this.unanswered > 0;
  }

  /** Ends in order. */
  release(): void {
    this.world.broadcast((node) => node.leases.members.leave(memberName(this.id, this.incarnation), node.clockMs));
    for (const request of this.leases.release(this.clockMs)) this.world.send(request, () => {});
    this.alive = false;
  }

  hear(act: () => void): void {
    this.waiting.push(act);
  }

  seen(group: number, revision: number, record: LeaseRecord): void {
    this.leases.onSeen(group, revision, record, this.clockMs);
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
    if (this.clockMs - this.presentAtMs >= presenceEveryMs) {
      this.presentAtMs = this.clockMs;
      const name = memberName(this.id, this.incarnation);
      this.world.broadcast((node) => node.leases.members.hear(name, node.clockMs));
    }
    for (const request of this.leases.next(this.clockMs)) {
      this.unanswered++;
      this.world.send(request, (result) => {
        this.hear(() => {
          this.unanswered--;
          this.leases.onResult(request.group, request.id, result, this.clockMs);
        });
      });
    }
  }
}
