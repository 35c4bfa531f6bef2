/**
 * What a peer owes us within a time: its SETTINGS, the acknowledgement of ours, the rest of a header block or control
 * frame that it began (slow-loris). Looked at by ticks and not by timers, so a connection costs no timer and the bytes
 * of a well-behaved one no look at a clock. Content may come as slowly as it likes: that is for deadlines and policy.
 */
import { Limit } from './limit-codes.ts';
import type { ConnectionLimits } from './limits.ts';

export class Waits {
  private readonly limits: ConnectionLimits;
  private openedMs = -1;
  private settingsUnacked = 0;
  private settingsSentMs = -1;
  private unfinished = 0;
  private unfinishedMs = 0;
  private pingsUnacked = 0;
  /** When a PING of ours was answered last. */
  pingAckedMs = Number.NEGATIVE_INFINITY;

  constructor(limits: ConnectionLimits) {
    this.limits = limits;
  }

  onSettingsSent(): void {
    this.settingsUnacked++;
  }

  onPingSent(): void {
    this.pingsUnacked++;
  }

  /** False when no PING of ours is unanswered. */
  onPingAck(nowMs: number): boolean {
    if (this.pingsUnacked === 0) return false;
    this.pingsUnacked--;
    this.pingAckedMs = nowMs;
    return true;
  }

  get isSettingsAcked(): boolean {
    return this.settingsUnacked === 0;
  }

  /** False when there was nothing to acknowledge. */
  onSettingsAck(): boolean {
    if (this.settingsUnacked === 0) return false;
    this.settingsUnacked--;
    this.settingsSentMs = -1;
    return true;
  }

  /**
   * The limit that the peer has passed, or none. `unfinished` identifies the header block or frame under way, 0 when
   * there is none.
   */
  overdue(nowMs: number, peerSettingsSeen: boolean, unfinished: number): number {
    const { limits } = this;
    if (this.openedMs < 0) this.openedMs = nowMs;
    if (!peerSettingsSeen && nowMs - this.openedMs >= limits.prefaceTimeoutMs) return Limit.prefaceTimeout;
    if (this.settingsUnacked > 0) {
      if (this.settingsSentMs < 0) this.settingsSentMs = nowMs;
      if (nowMs - this.settingsSentMs >= limits.settingsAckTimeoutMs) return Limit.settingsAckTimeout;
    }
    if (unfinished !== this.unfinished) {
      this.unfinished = unfinished;
      this.unfinishedMs = nowMs;
    } else if (unfinished !== 0 && nowMs - this.unfinishedMs >= limits.headersTimeoutMs) return Limit.headersTimeout;
    return Limit.none;
  }
}
