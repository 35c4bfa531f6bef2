/**
 * A whole fleet in one process and in simulated time: callers, control planes, the store of their lease, NATS between
 * them, and the service that is called. What it runs is what runs live; what is simulated is time, network and demand.
 */
import type { Decisions } from '../../../control-plane/coordination/breaker-coordinator.ts';
import type { LeaseAction, LeaseResult } from '../../../control-plane/coordination/leader-lease.ts';
import { XorShift32 } from '../../../proto/kernel/random.ts';
import type { Outgoing } from '../../../sidecar/resilience/fleet-caller.ts';
import { EventQueue } from '../sim/event-queue.ts';
import { CallerNode } from './caller-node.ts';
import { ControlNode } from './control-node.ts';
import { FleetRecording } from './fleet-recording.ts';
import type { FleetStage, FleetWorldOptions } from './fleet-stage.ts';
import { LeaseStore } from './lease-store.ts';
import { Network } from './network.ts';
import { ServiceNode } from './service-node.ts';
import { WitnessNode } from './witness-node.ts';

export class FleetWorld implements FleetStage {
  readonly target = 'shop/payments';
  readonly options: FleetWorldOptions;
  readonly queue = new EventQueue();
  readonly network: Network;
  readonly service: ServiceNode;
  readonly store = new LeaseStore();
  readonly recording: FleetRecording;
  readonly callers: CallerNode[];
  readonly controls: ControlNode[];
  readonly witnesses: WitnessNode[];
  readonly random: XorShift32;
  notesArrivals = true;
  /** Just before a verdict goes out. */
  onSay: ((state: string, by: string) => void) | undefined;
  nowMs = 0;
  /** When a verdict first said this state. */
  readonly firstSaidAtMs = new Map<string, number>();
  /** Callers that were named as culprits, and when. */
  readonly suspectsAtMs = new Map<string, number>();
  private readonly plans: { readonly atMs: number; readonly act: () => void }[] = [];
  private serial = 1;

  constructor(options: FleetWorldOptions) {
    this.options = options;
    this.random = new XorShift32(options.seed * 7919);
    this.network = new Network(this.queue, this.random, options.network);
    this.service = new ServiceNode(options.plan);
    this.recording = new FleetRecording(options.durationMs);
    this.controls = Array.from({ length: options.controlPlanes }, (_, i) => this.control(i));
    this.witnesses = Array.from(
      { length: options.witnesses ?? 0 },
      (_, i) => new WitnessNode(this, i, this.nextSeed()),
    );
    this.callers = Array.from({ length: options.callers }, (_, i) => this.caller(i));
  }

  /** What happens at a time; to be said before it runs. */
  at(atMs: number, act: () => void): void {
    this.plans.push({ atMs, act });
    this.plans.sort((a, b) => a.atMs - b.atMs);
  }

  run(untilMs = this.options.durationMs): this {
    while (true) {
      const planAtMs = this.plans[0]?.atMs ?? Number.POSITIVE_INFINITY;
      const nextAtMs = Math.min(planAtMs, this.queue.nextAtMs);
      if (nextAtMs > untilMs) break;
      this.nowMs = nextAtMs;
      if (planAtMs <= this.queue.nextAtMs) this.plans.shift()!.act();
      else this.queue.step();
    }
    this.nowMs = untilMs;
    return this;
  }

  leader(): ControlNode | undefined {
    return this.controls.find((control) => control.isLeader());
  }

  /** The leader dies; one like it comes up later, knowing nothing. */
  killLeader(backAfterMs = 3000): void {
    const leader = this.leader();
    if (leader === undefined) return;
    leader.kill();
    this.at(this.nowMs + backAfterMs, () => {
      this.controls[this.controls.indexOf(leader)] = this.control(this.controls.indexOf(leader));
    });
  }

  /** New ones in place of all that were. */
  startControls(): void {
    for (let i = 0; i < this.controls.length; i++) this.controls[i] = this.control(i);
  }

  restartCaller(index: number): void {
    this.callers[index]!.kill();
    this.callers[index] = this.caller(index);
  }

  publish(from: string, { verdicts, grants }: Decisions, nowMs: number): void {
    for (const verdict of verdicts) {
      if (!this.firstSaidAtMs.has(verdict.state)) this.firstSaidAtMs.set(verdict.state, nowMs);
      for (const suspect of verdict.suspects) {
        if (!this.suspectsAtMs.has(suspect)) this.suspectsAtMs.set(suspect, nowMs);
      }
      this.onSay?.(verdict.state, from);
      for (const node of [...this.callers, ...this.controls, ...this.witnesses]) {
        if (node.id !== from) this.network.send(from, node.id, (atMs) => node.onVerdict(verdict, atMs), nowMs);
      }
    }
    for (const { to, ...grant } of grants) {
      const node = this.callers.find(({ id }) => id === to.instance);
      const message = { ...grant, v: 1, incarnation: to.incarnation, leases: [] };
      if (node) this.network.send(from, node.id, (atMs) => node.onGrant(message, atMs), nowMs);
    }
  }

  hear(from: string, message: Exclude<Outgoing, { kind: 'check' }>, nowMs: number): void {
    if (message.kind === 'report') {
      const report = { ...message.report, v: 1, quotas: [] };
      for (const control of this.controls) {
        this.network.send(from, control.id, (atMs) => control.onReport(report, atMs), nowMs);
      }
      return;
    }
    const result = { ...message.result, v: 1 };
    for (const node of [...this.callers, ...this.controls]) {
      this.network.send(from, node.id, (atMs) => node.onSlotResult(result, atMs), nowMs);
    }
  }

  askStore(
    from: string,
    action: Exclude<LeaseAction, { kind: 'wait' }>,
    nowMs: number,
    answer: (result: LeaseResult, atMs: number) => void,
  ): void {
    const store = 'store';
    this.network.move(store, this.store.side);
    const reply = (arrivedMs: number): void => {
      if (!this.store.isUp) return;
      const result = this.store.answer(action);
      this.network.send(store, from, (atMs) => answer(result, atMs), arrivedMs);
      if (action.kind !== 'write' || result.kind !== 'written') return;
      for (const control of this.controls) {
        const seen = (atMs: number) => control.onLease(result.revision, action.record, atMs);
        this.network.send(store, control.id, seen, arrivedMs);
      }
    };
    this.network.send(from, store, reply, nowMs);
  }

  private control(index: number): ControlNode {
    return new ControlNode(this, `cp-${index}`, this.nextSeed(), this.skew(), index === 0);
  }

  private caller(index: number): CallerNode {
    return new CallerNode(this, index, this.nextSeed(), this.skew());
  }

  private nextSeed(): number {
    return this.options.seed * 100_003 + this.serial++ * 7907;
  }

  private skew(): number {
    return (this.options.skewMaxMs ?? 0) * (2 * this.random.next() - 1);
  }
}
