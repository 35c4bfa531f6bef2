/**
 * The way to a proxy: HTTP/2 connections with the engine of the sidecar, and the streams on them dressed as the door
 * that callers knock at. Enough connections for what is in flight at ten times the capacity; a request that finds no
 * stream free waits for one, as it would in any client, and its time runs.
 */
import type net from 'node:net';
import type { HttpStream } from '../../../sidecar/exchange/http-stream.ts';
import { ErrorCode } from '../../../sidecar/http2/constants.ts';
import type { HeaderList } from '../../../sidecar/http2/hpack/field.ts';
import { parseLimits } from '../../../sidecar/http2/limits.ts';
import { type Http2Stream, ResetCause, type StreamHandler } from '../../../sidecar/http2/stream.ts';
import { Http2Socket, type Http2SocketOwner } from '../../../sidecar/io/http2-socket.ts';
import { dial } from '../../../sidecar/io/upstream/dial.ts';
import { Fifo } from '../sim/fifo.ts';
import type { Accept } from '../sim/wire.ts';

const connectionsPerDoor = 12;
const connectTimeoutMs = 5000;
/** Requests that wait for a stream; one beyond them fails at once. */
const waitingMax = 20_000;
const { limits } = parseLimits(['upstreamStreamsMax=1000', 'controlFramesMax=100000', 'outputBytesMax=67108864']);

interface Knock {
  readonly stream: HttpStream;
  readonly head: HeaderList;
}

export class RemoteDoor {
  private readonly connections: DoorConnection[] = [];
  private readonly waiting = new Fifo<Knock>();
  private waitingCount = 0;
  private next = 0;
  readonly catchUp: () => void;

  constructor(catchUp: () => void) {
    this.catchUp = catchUp;
  }

  async open(address: string): Promise<void> {
    await Promise.all(Array.from({ length: connectionsPerDoor }, () => this.connect(address)));
  }

  readonly accept: Accept = (stream, head) => {
    const connection = this.free();
    if (connection !== undefined) return connection.send(stream, head);
    if (this.waitingCount >= waitingMax) return stream.reset(ErrorCode.refusedStream);
    this.waitingCount++;
    this.waiting.push({ stream, head });
  };

  onCapacity(): void {
    for (let connection = this.free(); connection !== undefined; connection = this.free()) {
      const knock = this.waiting.shift();
      if (knock === undefined) return;
      this.waitingCount--;
      if (!knock.stream.isClosed) connection.send(knock.stream, knock.head);
    }
  }

  close(): void {
    for (const connection of this.connections) connection.close();
  }

  private free(): DoorConnection | undefined {
    const { connections } = this;
    for (let i = 0; i < connections.length; i++) {
      const connection = connections[this.next++ % connections.length]!;
      if (connection.canSend) return connection;
    }
    return undefined;
  }

  private connect(address: string): Promise<void> {
    return new Promise((resolve, reject) => {
      dial(
        address,
        { timeoutMs: connectTimeoutMs, tls: null },
        {
          onConnected: (socket) => {
            const connection = new DoorConnection(this, socket, resolve);
            this.connections.push(connection);
            return connection;
          },
          onFailed: (detail) => reject(new Error(detail)),
        },
      );
    });
  }
}

class DoorConnection implements Http2SocketOwner {
  readonly peerAddress = '';
  private readonly door: RemoteDoor;
  private readonly socket: Http2Socket;
  private onOpen: (() => void) | null;
  private isGone = false;

  constructor(door: RemoteDoor, socket: net.Socket, onOpen: () => void) {
    this.door = door;
    this.onOpen = onOpen;
    this.socket = new Http2Socket(socket, false, limits, this);
  }

  get canSend(): boolean {
    return !this.isGone && this.socket.connection.canOpenStream;
  }

  send(stream: HttpStream, head: HeaderList): void {
    const answer = new Answer(stream);
    answer.up = this.socket.connection.request(head, true, answer);
  }

  onRead(count: number, buf: Buffer): void {
    this.door.catchUp();
    this.socket.onRead(count, buf);
    if (this.onOpen === null || !this.canSend) return;
    this.onOpen();
    this.onOpen = null;
  }

  onCapacity(): void {
    if (this.onOpen === null) this.door.onCapacity();
  }

  close(): void {
    this.isGone = true;
    this.socket.destroy();
  }

  onRequest(): void {}

  onGoaway(): void {
    this.isGone = true;
  }

  onClosed(): void {
    this.isGone = true;
  }
}

/** Passes on what comes back, and what the caller gives up. */
class Answer implements StreamHandler {
  up: Http2Stream | null = null;
  private readonly stream: HttpStream;

  constructor(stream: HttpStream) {
    this.stream = stream;
    stream.handler = {
      onHeaders() {},
      onData() {},
      onTrailers() {},
      onReset: (code) => this.up?.reset(code),
    };
  }

  onHeaders(list: HeaderList, endStream: boolean): void {
    if (list.status >= 200) this.stream.sendHeaders(list, endStream);
  }

  onData(_buf: Buffer, start: number, end: number, endStream: boolean): void {
    this.up?.credit(end - start);
    if (endStream) this.stream.reset(ErrorCode.protocolError);
  }

  onTrailers(list: HeaderList): void {
    this.stream.sendTrailers(list);
  }

  onReset(code: number, cause: number): void {
    this.stream.reset(cause === ResetCause.connection ? ErrorCode.internalError : code);
  }
}
