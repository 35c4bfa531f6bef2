/**
 * How many messages of a queue are in the app's hands at once. It grows by one for each window of them that went well,
 * halves when there is no room or one fails, and rests when nothing goes well at all: then every delivery that is spared
 * is one that a message has left when the app is back.
 */
export interface WindowSettings {
  readonly sizeMax: number;
  /** Failures in a row after which it rests. */
  readonly failuresBeforeRest: number;
  readonly restFirstMs: number;
  readonly restMaxMs: number;
  /** What finds no room has cost nothing. */
  readonly refusalRestMaxMs: number;
}

export const windowDefaults: Omit<WindowSettings, 'sizeMax'> = {
  failuresBeforeRest: 5,
  restFirstMs: 100,
  restMaxMs: 30_000,
  refusalRestMaxMs: 1000,
};

/** Halved at most this often: what is refused together is one refusal. */
const halvingPauseMs = 50;
const doublingsMax = 20;

export class DeliveryWindow {
  size = 1;
  private readonly settings: WindowSettings;
  private doneInWindow = 0;
  private halvedAtMs = Number.NEGATIVE_INFINITY;
  private failures = 0;
  private refusals = 0;
  private restsUntilMs = Number.NEGATIVE_INFINITY;

  constructor(settings: WindowSettings) {
    this.settings = settings;
  }

  /** How many more may be taken. `limit`: of the app. */
  room(inHand: number, limit: number, nowMs: number): number {
    if (nowMs < this.restsUntilMs) return 0;
    return Math.max(0, Math.min(this.size, Math.max(1, limit)) - inHand);
  }

  restMs(nowMs: number): number {
    return Math.max(0, this.restsUntilMs - nowMs);
  }

  /** The app did it, or said that it never will: it is well. */
  onAnswered(): void {
    this.failures = 0;
    this.refusals = 0;
    this.doneInWindow++;
    if (this.doneInWindow < this.size) return;
    this.doneInWindow = 0;
    this.size = Math.min(this.settings.sizeMax, this.size + 1);
  }

  onFailed(nowMs: number): void {
    this.halve(nowMs);
    this.failures++;
    const over = this.failures - this.settings.failuresBeforeRest;
    if (over >= 0) this.rest(over, this.settings.restMaxMs, nowMs);
  }

  /** There is no room: it comes back later. */
  onRefused(nowMs: number): void {
    this.halve(nowMs);
    if (nowMs < this.restsUntilMs) return;
    this.rest(this.refusals, this.settings.refusalRestMaxMs, nowMs);
    this.refusals++;
  }

  private halve(nowMs: number): void {
    this.doneInWindow = 0;
    if (nowMs - this.halvedAtMs < halvingPauseMs) return;
    this.halvedAtMs = nowMs;
    this.size = Math.max(1, Math.floor(this.size / 2));
  }

  private rest(doublings: number, maxMs: number, nowMs: number): void {
    const restMs = this.settings.restFirstMs * 2 ** Math.min(doublings, doublingsMax);
    this.restsUntilMs = nowMs + Math.min(maxMs, restMs);
  }
}

/** The wait before the next delivery; it doubles with each that failed. `dice`: 0 to 1, for ± 20 %. */
export function redeliveryDelayMs(deliveries: number, baseMs: number, maxMs: number, dice: number): number {
  const doubled = baseMs * 2 ** Math.min(Math.max(0, deliveries - 1), doublingsMax);
  return Math.min(maxMs, doubled) * (0.8 + 0.4 * dice);
}
