/**
 * The probe tokens that one sidecar holds for one target: leave to send so many requests while the fleet's breaker is
 * shut. Each is spent once; what is not spent in time is dead. A grant is taken once, whatever is repeated: rounds only
 * rise. What became of the last round's probes stays known until the next, since every report repeats it.
 *
 * Probes are known by the breaker's generation numbers, which are handed out once: those of a round lie between the first
 * and the last that it spent.
 */
export interface TokenReading {
  round: number;
  held: number;
  used: number;
  ok: number;
  failed: number;
  /** Whether some can still be spent. */
  live: boolean;
}

export class FleetTokens {
  round = 0;
  /** Not yet spent. */
  left = 0;
  untilMs = 0;
  private held = 0;
  private used = 0;
  private ok = 0;
  private failed = 0;
  private first = 0;
  private last = 0;

  /** False when that round is known. */
  take(round: number, count: number, untilMs: number): boolean {
    if (round <= this.round) return false;
    this.round = round;
    this.held = count;
    this.left = count;
    this.untilMs = untilMs;
    this.used = 0;
    this.ok = 0;
    this.failed = 0;
    this.first = 0;
    this.last = 0;
    return true;
  }

  canSpend(nowMs: number): boolean {
    return this.left > 0 && nowMs < this.untilMs;
  }

  spend(generation: number): void {
    this.left--;
    this.used++;
    if (this.first === 0) this.first = generation;
    this.last = generation;
  }

  isOf(generation: number): boolean {
    return this.first !== 0 && generation >= this.first && generation <= this.last;
  }

  settle(succeeded: boolean): void {
    if (succeeded) this.ok++;
    else this.failed++;
  }

  /** The probe said nothing about the target: as if it had not been held. */
  annul(): void {
    this.held--;
    this.used--;
  }

  /** Those that are left are not to be used any more. */
  drop(): void {
    this.left = 0;
  }

  /** The order of rounds begins anew with another leader's bucket; what is out is forgotten. */
  clear(): void {
    this.round = 0;
    this.take(1, 0, 0);
    this.round = 0;
  }

  read(into: TokenReading, nowMs: number): void {
    into.round = this.round;
    into.held = this.held;
    into.used = this.used;
    into.ok = this.ok;
    into.failed = this.failed;
    into.live = this.canSpend(nowMs);
  }

  static readonly frozenLength = 9;

  freeze(into: Float64Array, at: number): void {
    into[at] = this.round;
    into[at + 1] = this.left;
    into[at + 2] = this.untilMs;
    into[at + 3] = this.held;
    into[at + 4] = this.used;
    into[at + 5] = this.ok;
    into[at + 6] = this.failed;
    into[at + 7] = this.first;
    into[at + 8] = this.last;
  }

  thaw(from: Float64Array, at: number): void {
    this.round = from[at]!;
    this.left = from[at + 1]!;
    this.untilMs = from[at + 2]!;
    this.held = from[at + 3]!;
    this.used = from[at + 4]!;
    this.ok = from[at + 5]!;
    this.failed = from[at + 6]!;
    this.first = from[at + 7]!;
    this.last = from[at + 8]!;
  }
}
