/**
 * A stream between two machines, as the exchanges at its ends see it: what one end sends arrives at the other a hop
 * later, in order. Content is not kept, only that it came: what unary calls carry in the lab is one message.
 */
import type { HttpStream, UpstreamConnection } from '../../../sidecar/exchange/http-stream.ts';
import type { HeaderList } from '../../../sidecar/http2/hpack/field.ts';
import { type CreditSource, ResetCause, type StreamHandler } from '../../../sidecar/http2/stream.ts';
import type { Actor } from './event-queue.ts';
import { message } from './heads.ts';
import type { World } from './world.ts';

/** Takes a stream that came in. */
export type Accept = (stream: HttpStream, head: HeaderList, endStream: boolean) => void;

export class WireEnd implements HttpStream {
  handler: StreamHandler | null = null;
  source: CreditSource | null = null;
  peer: WireEnd | null = null;
  localClosed = false;
  remoteClosed = false;
  private isDead = false;
  private readonly world: World;
  private readonly hopMs: number;

  constructor(world: World, hopMs: number) {
    this.world = world;
    this.hopMs = hopMs;
  }

  get isClosed(): boolean {
    return this.isDead || (this.localClosed && this.remoteClosed);
  }

  sendHeaders(list: HeaderList, endStream: boolean): void {
    if (this.isDead || this.localClosed) return;
    if (endStream) this.localClosed = true;
    this.world.after(this.hopMs, new HeadersOnWire(this.peer!, list, endStream), 0);
  }

  sendData(_buf: Buffer, start: number, end: number, endStream: boolean): void {
    this.source?.credit(end - start);
    if (this.isDead || this.localClosed) return;
    this.localClosed = endStream;
    this.world.after(this.hopMs, new DataOnWire(this.peer!, end > start, endStream), 0);
  }

  sendTrailers(list: HeaderList): void {
    if (this.isDead || this.localClosed) return;
    this.localClosed = true;
    this.world.after(this.hopMs, new TrailersOnWire(this.peer!, list), 0);
  }

  reset(code: number): void {
    if (this.isClosed) return;
    this.isDead = true;
    this.world.after(this.hopMs, new ResetOnWire(this.peer!, code), 0);
  }

  credit(_bytes: number): void {}

  /** Whether what arrives still concerns anybody. */
  get listens(): boolean {
    return !this.isDead && !this.remoteClosed;
  }

  onRemoteReset(code: number): void {
    if (this.isClosed) return;
    this.isDead = true;
    this.handler?.onReset(code, ResetCause.peer);
  }
}

class HeadersOnWire implements Actor {
  private readonly end: WireEnd;
  private readonly list: HeaderList;
  private readonly endStream: boolean;

  constructor(end: WireEnd, list: HeaderList, endStream: boolean) {
    this.end = end;
    this.list = list;
    this.endStream = endStream;
  }

  onEvent(): void {
    if (!this.end.listens) return;
    if (this.endStream) this.end.remoteClosed = true;
    this.end.handler?.onHeaders(this.list, this.endStream);
  }
}

class TrailersOnWire implements Actor {
  private readonly end: WireEnd;
  private readonly list: HeaderList;

  constructor(end: WireEnd, list: HeaderList) {
    this.end = end;
    this.list = list;
  }

  onEvent(): void {
    if (!this.end.listens) return;
    this.end.remoteClosed = true;
    this.end.handler?.onTrailers(this.list);
  }
}

class DataOnWire implements Actor {
  private readonly end: WireEnd;
  private readonly isMessage: boolean;
  private readonly endStream: boolean;

  constructor(end: WireEnd, isMessage: boolean, endStream: boolean) {
    this.end = end;
    this.isMessage = isMessage;
    this.endStream = endStream;
  }

  onEvent(): void {
    if (!this.end.listens) return;
    if (this.endStream) this.end.remoteClosed = true;
    this.end.handler?.onData(message, 0, this.isMessage ? message.length : 0, this.endStream);
  }
}

class ResetOnWire implements Actor {
  private readonly end: WireEnd;
  private readonly code: number;

  constructor(end: WireEnd, code: number) {
    this.end = end;
    this.code = code;
  }

  onEvent(): void {
    this.end.onRemoteReset(this.code);
  }
}

/** A request that has not arrived yet. */
class RequestOnWire implements Actor {
  private readonly accept: Accept;
  private readonly end: WireEnd;
  private readonly head: HeaderList;
  private readonly endStream: boolean;

  constructor(accept: Accept, end: WireEnd, head: HeaderList, endStream: boolean) {
    this.accept = accept;
    this.end = end;
    this.head = head;
    this.endStream = endStream;
  }

  onEvent(): void {
    if (this.endStream) this.end.remoteClosed = true;
    this.accept(this.end, this.head, this.endStream);
  }
}

/** A connection that always has room. */
export class Wire implements UpstreamConnection {
  readonly takesExtendedConnect = true;
  private readonly world: World;
  private readonly hopMs: number;
  private readonly accept: Accept;

  constructor(world: World, hopMs: number, accept: Accept) {
    this.world = world;
    this.hopMs = hopMs;
    this.accept = accept;
  }

  request(list: HeaderList, endStream: boolean, handler: StreamHandler): HttpStream {
    const near = new WireEnd(this.world, this.hopMs);
    const far = new WireEnd(this.world, this.hopMs);
    near.peer = far;
    far.peer = near;
    near.handler = handler;
    near.localClosed = endStream;
    this.world.after(this.hopMs, new RequestOnWire(this.accept, far, list, endStream), 0);
    return near;
  }
}
