/**
 * Reads a node:http message by credit: what was handed on and not yet drained is bounded, and past the bound the message
 * is paused, so TCP holds the sender back.
 */
import type { IncomingMessage } from 'node:http';
import type { StreamHandler } from '../http2/stream.ts';
import { tick } from './clock.ts';
import { flowBudget } from './flow-budget.ts';
import { trailersOf } from './http1-headers.ts';
import { tightWindowBytes, unreadContentBytesMax, windowBytes } from './http1-limits.ts';

const nothing = Buffer.alloc(0);

/** Whose message it is. */
export interface BodyOwner {
  readonly handler: StreamHandler | null;
  /** Called before the handler hears of the end. */
  onBodyEnd(): void;
  /** What came after the content is no trailers that may be passed on. */
  onBadTrailers(): void;
  /** Nobody wants the rest, and it is too long to read it off. */
  onTooMuchUnread(): void;
}

export class Http1Body {
  /** What may be handed on and not drained. */
  window = windowBytes;
  private outstanding = 0;
  private unread = -1;
  private readonly message: IncomingMessage;
  private readonly owner: BodyOwner;

  constructor(message: IncomingMessage, owner: BodyOwner) {
    this.message = message;
    this.owner = owner;
    // Cut off: the connection's own events say so.
    message.on('error', () => {});
    message.on('data', this.onData);
    message.on('end', this.onEnd);
  }

  /** The sender is not slow; it is being held back. */
  get isHeldBack(): boolean {
    return this.message.isPaused();
  }

  credit(bytes: number): void {
    this.outstanding -= bytes;
    if (this.outstanding < this.windowNow && this.message.isPaused()) this.message.resume();
  }

  /** Less while memory is short. */
  private get windowNow(): number {
    return flowBudget.isTight ? Math.min(this.window, tightWindowBytes) : this.window;
  }

  /** Reads off what is left, within bounds, so that the connection can be used again. */
  discard(): void {
    this.unread = 0;
    this.outstanding = 0;
    this.message.resume();
  }

  private readonly onData = (chunk: Buffer): void => {
    if (this.unread >= 0) return this.count(chunk.length);
    tick();
    this.outstanding += chunk.length;
    if (this.outstanding >= this.windowNow) this.message.pause();
    this.owner.handler?.onData(chunk, 0, chunk.length, false);
  };

  private readonly onEnd = (): void => {
    const { message, owner } = this;
    // A message that was cut off never ends cleanly here.
    if (!message.complete) return;
    tick();
    if (this.unread >= 0) return owner.onBodyEnd();
    if (message.rawTrailers.length === 0) {
      owner.onBodyEnd();
      owner.handler?.onData(nothing, 0, 0, true);
      return;
    }
    const trailers = trailersOf(message);
    if (trailers === null) return owner.onBadTrailers();
    owner.onBodyEnd();
    owner.handler?.onTrailers(trailers);
  };

  private count(bytes: number): void {
    this.unread += bytes;
    if (this.unread <= unreadContentBytesMax) return;
    this.message.pause();
    this.owner.onTooMuchUnread();
  }
}
