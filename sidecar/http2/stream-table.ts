/**
 * The streams of a connection, and what is known of those that are not there: idle ones were never opened, closed ones
 * were (RFC 9113 §5.1.1). Late frames for streams that we reset are the peer's right; the same on streams that ended
 * in order are its fault.
 */
import type { Sender } from './sender.ts';
import { type Http2Stream, ResetCause } from './stream.ts';
import { StreamMap } from './stream-map.ts';

/**
 * How many resets of ours are remembered. Beyond that, older streams get the benefit of the doubt: a burst of passed
 * deadlines must not cost the connection when the answers to them come late.
 */
const rememberedResetsMax = 256;

export class StreamTable {
  readonly byId = new StreamMap();
  /** The highest stream of the peer. */
  lastPeerId = 0;
  /** The next stream of ours. */
  nextId: number;
  private readonly isServer: boolean;
  private readonly recentResets = new Set<number>();
  /** The highest reset that had to be forgotten: at or below it, nobody can say any more what was reset. */
  private forgottenUpTo = 0;

  constructor(isServer: boolean) {
    this.isServer = isServer;
    this.nextId = isServer ? 2 : 1;
  }

  isIdle(id: number): boolean {
    const isOurs = (id & 1) === (this.isServer ? 0 : 1);
    return isOurs ? id >= this.nextId : id > this.lastPeerId;
  }

  add(stream: Http2Stream): void {
    stream.isListed = true;
    this.byId.add(stream);
  }

  /** False when it was not there. */
  remove(stream: Http2Stream): boolean {
    if (!stream.isListed) return false;
    stream.isListed = false;
    return this.byId.delete(stream.id);
  }

  /** The streams with a higher id, as of now. */
  above(id: number): Http2Stream[] {
    return this.byId.values().filter((stream) => stream.id > id);
  }

  /** The connection is gone, and every stream with it. */
  endAll(sender: Sender, code: number): void {
    for (const stream of this.above(0)) {
      this.remove(stream);
      stream.isDead = true;
      sender.drop(stream);
      stream.handler?.onReset(code, ResetCause.connection);
    }
  }

  wasReset(id: number): boolean {
    return id <= this.forgottenUpTo || this.recentResets.has(id);
  }

  rememberReset(id: number): void {
    if (this.recentResets.size >= rememberedResetsMax) {
      for (const oldest of this.recentResets) {
        this.recentResets.delete(oldest);
        this.forgottenUpTo = Math.max(this.forgottenUpTo, oldest);
        break;
      }
    }
    this.recentResets.add(id);
  }
}
