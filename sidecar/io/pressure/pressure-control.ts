/**
 * What the app said about its pressure, and for how long it holds. The last word counts, wherever it came from. A word
 * over HTTP holds for a time, since an app that crashed says nothing any more, and its successor does not know what was
 * said; one on a stream holds while the stream is open. After that requests are delivered as if nothing had been said.
 */
import type { DeliveryCredit } from '../../admission/delivery-credit.ts';

export type PressureState = 'open' | 'paused' | 'pulling';

export interface PressureReading {
  readonly state: PressureState;
  /** Requests that may still be delivered; null while open. */
  readonly remaining: number | null;
  readonly inFlight: number;
  readonly queued: number;
  /** Until what was said over HTTP is forgotten; null when it is not. */
  readonly expiresInMs: number | null;
}

export interface PressureFacts {
  readonly credit: DeliveryCredit;
  inFlight(): number;
  queued(): number;
  /** There is credit: whoever waits for it may go. */
  onCredit(): void;
}

/** Who said it: a stream, or null for HTTP. */
export type Speaker = object | null;

export class PressureControl {
  private readonly facts: PressureFacts;
  private speaker: Speaker = null;
  private isPulling = false;
  private expiresMs = Number.POSITIVE_INFINITY;
  private timer: NodeJS.Timeout | null = null;

  constructor(facts: PressureFacts) {
    this.facts = facts;
  }

  /** `forMs`: how long it holds; 0 while its speaker does. */
  pause(speaker: Speaker, forMs: number): void {
    this.heard(speaker, forMs);
    this.isPulling = false;
    this.facts.credit.pause();
  }

  more(count: number, speaker: Speaker, forMs: number): void {
    this.heard(speaker, forMs);
    this.isPulling = true;
    this.facts.credit.add(count);
    this.facts.onCredit();
  }

  resume(): void {
    this.heard(null, 0);
    this.isPulling = false;
    this.facts.credit.open();
    this.facts.onCredit();
  }

  /** A stream ended: what it said last holds no longer. */
  onGone(speaker: object): void {
    if (this.speaker === speaker) this.resume();
  }

  read(): PressureReading {
    const { credit } = this.facts;
    const { remaining } = credit;
    const isTimed = Number.isFinite(this.expiresMs);
    return {
      state: credit.isOpen ? 'open' : this.isPulling ? 'pulling' : 'paused',
      remaining: Number.isFinite(remaining) ? remaining : null,
      inFlight: this.facts.inFlight(),
      queued: this.facts.queued(),
      expiresInMs: isTimed ? Math.max(0, Math.round(this.expiresMs - performance.now())) : null,
    };
  }

  close(): void {
    if (this.timer !== null) clearTimeout(this.timer);
  }

  private heard(speaker: Speaker, forMs: number): void {
    this.close();
    this.timer = null;
    this.speaker = speaker;
    this.expiresMs = forMs > 0 ? performance.now() + forMs : Number.POSITIVE_INFINITY;
    if (forMs > 0) this.timer = setTimeout(() => this.resume(), forMs).unref();
  }
}
