/**
 * Carries what the fleet's breakers say to each other: reports and probe results up, verdicts, grants and others' results
 * down. What is said, and what becomes of what is heard, is decided in resilience/fleet-caller.ts; here are one timer, the
 * subscriptions and the codec. When NATS is lost nothing needs to be done: silence is part of the protocol.
 */
import type { Verdict } from '../../../proto/fleet-messages.ts';
import { parseServiceKey, serviceKey, subjects } from '../../../proto/subjects.ts';
import { FleetCaller, type FleetTarget, type Outgoing } from '../../resilience/fleet-caller.ts';
import { Outcome } from '../../resilience/outcome.ts';
import type { Bus } from './bus.ts';
import type { FleetCodec } from './codec.ts';
import type { Mesh, TargetLink } from './mesh.ts';
import type { ReportNumbers } from './report-numbers.ts';
import { checkTarget } from './target-check.ts';

export class FleetSync {
  private readonly mesh: Mesh;
  private readonly bus: Bus;
  private readonly codec: FleetCodec;
  private readonly caller: FleetCaller;
  private readonly links = new Map<string, TargetLink>();
  private timer: NodeJS.Timeout | undefined;
  private timerDueAtMs = Number.POSITIVE_INFINITY;
  private closed = false;

  constructor(mesh: Mesh, bus: Bus, codec: FleetCodec, numbers: ReportNumbers) {
    this.mesh = mesh;
    this.bus = bus;
    this.codec = codec;
    const { identity, random } = mesh;
    this.caller = new FleetCaller({ identity, random, own: mesh.ownTraffic ?? null, nextSeq: () => numbers.next() });
    bus.subscribe(subjects.grant(identity, identity.instance), ({ bytes }) => this.onGrant(bytes));
    // The fleet may ask how the own app is.
    bus.subscribe(subjects.verdict(identity), ({ bytes }) => this.onVerdict(serviceKey(identity), bytes));
  }

  follow(link: TargetLink): void {
    const name = parseServiceKey(link.key);
    if (!name) return;
    this.links.set(link.key, link);
    this.caller.follow(link, this.mesh.nowMs());
    if (link.key !== serviceKey(this.mesh.identity)) {
      this.bus.subscribe(subjects.verdict(name), ({ bytes }) => this.onVerdict(link.key, bytes));
    }
    this.bus.subscribe(subjects.slotsOf(name), ({ subject, bytes }) => {
      const result = this.codec.decodeSlotResult(bytes);
      if (result?.target !== link.key) return;
      const { identity } = result;
      if (subject === subjects.slot(name, identity, identity.instance))
        this.caller.onSlotResult(result, this.mesh.nowMs());
    });
    link.onFailure = () => this.hurry(link.key);
    link.onProbe = () => {
      this.caller.onProbe(link.key, this.mesh.nowMs());
      this.arm();
    };
    this.arm();
  }

  /** The target's breaker changed its state: the leader hears of it at once. */
  onTransition(target: string): void {
    this.hurry(target);
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
    for (const link of this.links.values()) {
      link.onFailure = undefined;
      link.onProbe = undefined;
    }
  }

  /** Runs within the exchange of a request: marks, and leaves the sending to the timer. */
  private hurry(target: string): void {
    if (this.caller.hurry(target, this.mesh.nowMs())) this.arm();
  }

  private arm(): void {
    if (this.closed) return;
    const dueAtMs = this.caller.nextAtMs;
    if (this.timer && this.timerDueAtMs <= dueAtMs) return;
    clearTimeout(this.timer);
    this.timer = undefined;
    if (dueAtMs === Number.POSITIVE_INFINITY) return;
    this.timerDueAtMs = dueAtMs;
    this.timer = setTimeout(() => this.fire(), Math.max(0, dueAtMs - this.mesh.nowMs()));
  }

  private fire(): void {
    this.timer = undefined;
    for (const message of this.caller.tick(this.mesh.nowMs(), Date.now(), this.bus.connected)) this.send(message);
    this.arm();
  }

  private send(message: Outgoing): void {
    const { identity } = this.mesh;
    if (message.kind === 'report') {
      const subject = subjects.report(message.shard, identity, identity.instance);
      this.bus.publish(subject, this.codec.encodeReport(message.report));
    } else if (message.kind === 'slot') {
      const name = parseServiceKey(message.target);
      if (name)
        this.bus.publish(subjects.slot(name, identity, identity.instance), this.codec.encodeSlotResult(message.result));
    } else this.check(message.target, message.generation);
  }

  private onGrant(bytes: Uint8Array): void {
    const grant = this.codec.decodeGrant(bytes);
    if (!grant) return;
    this.caller.onGrant(grant, this.mesh.nowMs());
    this.arm();
  }

  private onVerdict(key: string, bytes: Uint8Array): void {
    const verdict = this.codec.decodeVerdict(bytes);
    if (!verdict || verdict.target !== key) {
      this.mesh.log('warn', 'ignoring a verdict that cannot be read', { target: key, bytes: bytes.length });
      return;
    }
    const standing = this.caller.standing(key);
    const before = standing?.last?.state ?? 'closed';
    const wasSuspect = standing?.isSuspect ?? false;
    const isNews = this.caller.onVerdict(verdict, this.mesh.nowMs(), Date.now());
    this.arm();
    if (!isNews || !standing) return;
    if (verdict.state !== before) this.logState(verdict);
    if (standing.isSuspect && !wasSuspect) {
      this.mesh.log('warn', 'the fleet finds the fault with this caller: others reach the target', { target: key });
    }
  }

  private logState({ target, state, generation, epoch, evidence }: Verdict): void {
    this.mesh.log('info', `the fleet breaker is ${state}`, { target, generation, epoch, evidence: evidence?.text });
  }

  private check({ key, breaker }: FleetTarget, generation: number): void {
    const sinceMs = this.mesh.nowMs();
    checkTarget(this.links.get(key)?.anyAddress?.() ?? '', (reached) => {
      const nowMs = this.mesh.nowMs();
      const outcome = reached === undefined ? Outcome.ignored : reached ? Outcome.success : Outcome.failure;
      breaker?.record(outcome, nowMs - sinceMs, true, generation, nowMs);
      this.caller.onProbe(key, nowMs);
      this.arm();
    });
  }
}
