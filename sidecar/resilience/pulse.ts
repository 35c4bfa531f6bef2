/**
 * Whether the peer of an HTTP/2 connection is still alive, asked only when there is reason to: streams are open and
 * nothing was read for a while. Then one PING, and whatever is read after it is a sign of life.
 *
 *   quiet ── streams open, nothing read for silenceMs ──▶ asked ── nothing read for timeoutMs ──▶ dead
 *     ▲                                                     │
 *     └──────────────────── anything read ──────────────────┘
 *
 * A long stream may be silent for hours, and servers take frequent PINGs for abuse (gRPC's allow one in five minutes,
 * with two strikes, until they send something themselves). So in one silence, which PING acks do not end, the next PING
 * comes after `againMs`; earlier only for requests sent since, and no more often than servers forgive.
 *
 * A peer that does not read its socket cannot be asked. That is backpressure, and TCP watches over it.
 */
export interface PulseSettings {
  readonly silenceMs: number;
  readonly timeoutMs: number;
  readonly againMs: number;
}

export const defaultPulseSettings: PulseSettings = { silenceMs: 15_000, timeoutMs: 10_000, againMs: 305_000 };

/** PINGs in one silence that come before their time. */
const earlyPingsMax = 2;

/** What the connection knows. */
export interface PulseFacts {
  readonly streamCount: number;
  /** When anything was read last. */
  readonly readMs: number;
  /** When the ack of a PING was read last. */
  readonly ackedMs: number;
  /** When a stream was opened last. */
  readonly usedMs: number;
  /** Since when the socket takes nothing; Infinity while it does. */
  readonly blockedSinceMs: number;
}

export type PulseAnswer = 'quiet' | 'ping' | 'dead';

export class Pulse {
  private readonly settings: PulseSettings;
  /** Of the PING that is not answered, else -Infinity. */
  private askedMs = Number.NEGATIVE_INFINITY;
  private lastPingMs = Number.NEGATIVE_INFINITY;
  private earlyPings = 0;
  private seenReadMs = Number.NEGATIVE_INFINITY;
  /** Since when streams wait and nothing is read. */
  private silentSinceMs = Number.POSITIVE_INFINITY;

  constructor(settings: PulseSettings) {
    this.settings = settings;
  }

  /** Call it about once a second. After 'ping' the PING is sent at once. */
  check(facts: PulseFacts, nowMs: number): PulseAnswer {
    const { streamCount, readMs, ackedMs, usedMs, blockedSinceMs } = facts;
    if (readMs !== this.seenReadMs) {
      this.seenReadMs = readMs;
      this.silentSinceMs = Number.POSITIVE_INFINITY;
      this.askedMs = Number.NEGATIVE_INFINITY;
      // More than the answer to our own question: the silence is over.
      if (readMs !== ackedMs) {
        this.earlyPings = 0;
        this.lastPingMs = Number.NEGATIVE_INFINITY;
      }
    }
    if (blockedSinceMs !== Number.POSITIVE_INFINITY) {
      this.silentSinceMs = Number.POSITIVE_INFINITY;
      this.askedMs = Number.NEGATIVE_INFINITY;
      return 'quiet';
    }
    if (this.askedMs !== Number.NEGATIVE_INFINITY) {
      return nowMs - this.askedMs >= this.settings.timeoutMs ? 'dead' : 'quiet';
    }
    if (streamCount === 0) {
      this.silentSinceMs = Number.POSITIVE_INFINITY;
      return 'quiet';
    }
    if (this.silentSinceMs === Number.POSITIVE_INFINITY) this.silentSinceMs = nowMs;
    if (nowMs - this.silentSinceMs < this.settings.silenceMs || !this.mayPing(usedMs, nowMs)) return 'quiet';
    this.askedMs = nowMs;
    this.lastPingMs = nowMs;
    return 'ping';
  }

  private mayPing(usedMs: number, nowMs: number): boolean {
    if (nowMs - this.lastPingMs >= this.settings.againMs) return true;
    if (usedMs <= this.lastPingMs || this.earlyPings >= earlyPingsMax) return false;
    this.earlyPings++;
    return true;
  }
}
