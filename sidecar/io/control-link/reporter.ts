/**
 * Sends what the proxy counted about its targets: one message per shard, so that each shard's leader hears every caller.
 * One timer for all shards. A shard about which there is nothing to say is told so once and then not mentioned.
 */
import type { TargetCounts as CountsMessage, Draft } from '../../../proto/fleet-messages.ts';
import { shardOf, subjects } from '../../../proto/subjects.ts';
import type { Breaker } from '../../resilience/breaker.ts';
import { BreakerState } from '../../resilience/breaker-state.ts';
import type { Bus } from './bus.ts';
import type { FleetCodec } from './codec.ts';
import type { Mesh, TargetLink } from './mesh.ts';
import { ReportSchedule } from './report-schedule.ts';
import type { VerdictSync } from './verdict-sync.ts';

interface Shard {
  readonly number: number;
  readonly schedule: ReportSchedule;
  readonly targets: { readonly link: TargetLink; breaker: Breaker | null }[];
  sinceMs: number;
  saidNothing: boolean;
}

export class Reporter {
  private readonly mesh: Mesh;
  private readonly bus: Bus;
  private readonly codec: FleetCodec;
  private readonly verdicts: VerdictSync;
  private readonly shards = new Map<number, Shard>();
  private timer: NodeJS.Timeout | undefined;
  private timerDueAtMs = Number.POSITIVE_INFINITY;
  private seq = 0;
  private closed = false;

  constructor(mesh: Mesh, bus: Bus, codec: FleetCodec, verdicts: VerdictSync) {
    this.mesh = mesh;
    this.bus = bus;
    this.codec = codec;
    this.verdicts = verdicts;
  }

  follow(link: TargetLink): void {
    const shard = this.shard(shardOf(link.key));
    shard.targets.push({ link, breaker: link.breaker });
    link.onFailure = () => this.hurry(shard);
    this.arm();
  }

  /** The target's breaker changed its state: the leader hears of it at once. */
  onTransition(target: string): void {
    const shard = this.shards.get(shardOf(target));
    if (shard) this.hurry(shard);
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
    for (const { targets } of this.shards.values()) for (const { link } of targets) link.onFailure = undefined;
  }

  /** Runs within the exchange of a request: marks, and leaves the sending to the timer. */
  private hurry(shard: Shard): void {
    if (shard.schedule.failed(this.mesh.nowMs())) this.arm();
  }

  private arm(): void {
    if (this.closed) return;
    let dueAtMs = Number.POSITIVE_INFINITY;
    for (const { schedule } of this.shards.values()) dueAtMs = Math.min(dueAtMs, schedule.dueAtMs);
    if (this.timer && this.timerDueAtMs <= dueAtMs) return;
    clearTimeout(this.timer);
    this.timerDueAtMs = dueAtMs;
    this.timer = setTimeout(() => this.fire(), Math.max(0, dueAtMs - this.mesh.nowMs()));
  }

  private fire(): void {
    this.timer = undefined;
    const nowMs = this.mesh.nowMs();
    for (const shard of this.shards.values()) if (shard.schedule.isDue(nowMs)) this.report(shard, nowMs);
    this.arm();
  }

  private report(shard: Shard, nowMs: number): void {
    const { identity } = this.mesh;
    const targets: Draft<CountsMessage>[] = [];
    let epochSeen = '';
    let troubled = false;
    let nothing = true;
    for (const followed of shard.targets) {
      const { link } = followed;
      if (followed.breaker !== link.breaker) {
        followed.breaker = link.breaker;
        this.verdicts.apply(link, nowMs);
      }
      const counts = link.counts.drain();
      const verdict = this.verdicts.lastOf(link.key);
      if (verdict && verdict.epoch > epochSeen) epochSeen = verdict.epoch;
      if (counts.fail > 0 || !isClosed(link.breaker)) troubled = true;
      if (counts.n > 0 || counts.demand > 0 || counts.shed > 0 || counts.localFail > 0) nothing = false;
      targets.push({ target: link.key, generation: verdict?.generation ?? 0, ...counts });
    }
    const intervalMs = Math.round(nowMs - shard.sinceMs);
    shard.sinceMs = nowMs;
    shard.schedule.reported(troubled, nowMs);
    // Counts of a time without NATS are dropped: late evidence about an old interval would be taken for new.
    if (!this.bus.connected || (nothing && shard.saidNothing)) return;
    shard.saidNothing = nothing;
    const bytes = this.codec.encodeReport({ identity, epochSeen, seq: ++this.seq, intervalMs, targets });
    this.bus.publish(subjects.report(shard.number, identity, identity.instance), bytes);
  }

  private shard(number: number): Shard {
    const known = this.shards.get(number);
    if (known) return known;
    const nowMs = this.mesh.nowMs();
    const schedule = new ReportSchedule(nowMs, this.mesh.random);
    const shard = { number, schedule, targets: [], sinceMs: nowMs, saidNothing: true };
    this.shards.set(number, shard);
    return shard;
  }
}

function isClosed(breaker: Breaker | null): boolean {
  return !breaker || (breaker.state === BreakerState.closed && breaker.fleetState === BreakerState.closed);
}
