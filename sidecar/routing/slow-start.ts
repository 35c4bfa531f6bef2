/**
 * An endpoint that is new, or back, gets its share of requests little by little: caches are cold, code is not compiled,
 * pools are empty. Its share grows over the window as (age / window) ^ (1 / aggression), from a tenth on (Envoy's
 * formula). The balancer picks as always; a warming endpoint that it picked stands back for another one unless it is its
 * turn, which error diffusion gives to exactly that share of the picks. A few numbers an endpoint, no list of who is new.
 */
export interface SlowStartSettings {
  /** 0 = no slow start. */
  readonly windowMs: number;
  /** 1: the share grows evenly; above: sooner; below: later. */
  readonly aggression: number;
}

export const noSlowStart: SlowStartSettings = { windowMs: 0, aggression: 1 };

/** So that it is asked at all, and warms up. */
const shareLeast = 0.1;

export class SlowStart {
  private sinceMs = 0;
  private untilMs = Number.NEGATIVE_INFINITY;
  private exponent = 1;
  private turn = 0;

  begin({ windowMs, aggression }: SlowStartSettings, nowMs: number): void {
    this.sinceMs = nowMs;
    this.untilMs = windowMs > 0 ? nowMs + windowMs : Number.NEGATIVE_INFINITY;
    this.exponent = 1 / aggression;
    this.turn = 0;
  }

  isWarming(nowMs: number): boolean {
    return nowMs < this.untilMs;
  }

  /** Of its full share, 0.1 to 1. */
  share(nowMs: number): number {
    if (nowMs >= this.untilMs) return 1;
    const age = Math.max(0, nowMs - this.sinceMs) / (this.untilMs - this.sinceMs);
    return Math.max(shareLeast, age ** this.exponent);
  }

  /** Asked of an endpoint that is picked: true when the request should go to another. */
  standsBack(nowMs: number): boolean {
    if (nowMs >= this.untilMs) return false;
    this.turn += this.share(nowMs);
    if (this.turn < 1) return true;
    this.turn -= 1;
    return false;
  }
}
