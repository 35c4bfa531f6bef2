/**
 * How a connection says goodbye (RFC 9113 §6.8). A server that names its last stream at once loses the requests that
 * crossed with its GOAWAY, so it takes two steps with a round trip between them:
 *
 *   open ── GOAWAY(2^31-1), PING ──▶ announced ── PING ack, or patience ends ── GOAWAY(last) ──▶ final
 *
 * Streams that come while it is announced are served; those after the last GOAWAY are for another connection. A client
 * has no streams of its peer to wait for: its first step is its last.
 */
import { ErrorCode, streamIdMax } from './constants.ts';
import { writeGoaway } from './frame-writer.ts';
import type { Output } from './output.ts';

const Step = { open: 0, announced: 1, final: 2 } as const;
/** A peer that does not answer PINGs is waited for no longer than this. */
export const pingAckPatienceMs = 1000;

export class Drain {
  private readonly output: Output;
  private step: number = Step.open;
  private announcedLastId = streamIdMax;
  /** When the wait was first looked at. */
  private waitingSinceMs = -1;

  constructor(output: Output) {
    this.output = output;
  }

  /** Between the two steps: streams may still come. */
  get isWaiting(): boolean {
    return this.step === Step.announced;
  }

  get isFinal(): boolean {
    return this.step === Step.final;
  }

  /** False when it has begun already. When `isWaiting` then, the caller sends the PING. */
  begin(isServer: boolean): boolean {
    if (this.step !== Step.open) return false;
    if (!isServer) {
      this.writeLast(0);
      return true;
    }
    this.step = Step.announced;
    writeGoaway(this.output, streamIdMax, ErrorCode.noError, 'draining');
    return true;
  }

  /** Whether the peer has had long enough to answer the PING. */
  isOverdue(nowMs: number): boolean {
    if (this.step !== Step.announced) return false;
    if (this.waitingSinceMs < 0) this.waitingSinceMs = nowMs;
    return nowMs - this.waitingSinceMs >= pingAckPatienceMs;
  }

  /** The end of the wait. */
  finish(lastPeerId: number): void {
    this.writeLast(lastPeerId);
  }

  /** What a GOAWAY may name as the last stream: never more than an earlier one did. */
  lastStreamId(lastPeerId: number): number {
    return Math.min(lastPeerId, this.announcedLastId);
  }

  private writeLast(lastPeerId: number): void {
    this.step = Step.final;
    this.announcedLastId = lastPeerId;
    writeGoaway(this.output, lastPeerId, ErrorCode.noError, 'draining');
  }
}
