/**
 * An HTTP/2 server that does what a test tells it, frame by frame: it decodes no headers and answers by itself only
 * SETTINGS and PING, each of which can be switched off. For upstreams that misbehave, which no library would do.
 */
import net from 'node:net';
import { Flag, FrameType, prefaceBytes, SettingId } from '../../sidecar/http2/constants.ts';
import { FrameReader } from '../../sidecar/http2/frame-reader.ts';
import { frame } from './wire.ts';

export interface ScriptedOptions {
  /** Told of every request once it is complete. Default: a 200 without content. */
  readonly onRequest?: (connection: ScriptedConnection, streamId: number) => void;
  readonly onConnection?: (connection: ScriptedConnection) => void;
  /** In the SETTINGS; default: not said. */
  readonly streamsMax?: number;
  /** Whether SETTINGS go out on their own. */
  readonly greets?: boolean;
  readonly answersPings?: boolean;
}

export class ScriptedConnection {
  readonly socket: net.Socket;
  /** Streams whose request has ended. */
  readonly requests: number[] = [];
  readonly types: number[] = [];
  pings = 0;
  /** PUT what a script wants to remember here. */
  lastStreamId = 0;

  constructor(socket: net.Socket) {
    this.socket = socket;
  }

  send(bytes: Buffer): void {
    if (!this.socket.destroyed) this.socket.write(bytes);
  }

  greet(streamsMax?: number): void {
    const payload = Buffer.alloc(streamsMax === undefined ? 0 : 6);
    if (streamsMax !== undefined) {
      payload.writeUInt16BE(SettingId.maxConcurrentStreams, 0);
      payload.writeUInt32BE(streamsMax, 2);
    }
    this.send(frame(FrameType.settings, 0, 0, payload));
  }

  /** `:status: 200` and the end of the stream. */
  answer(streamId: number): void {
    this.send(frame(FrameType.headers, Flag.endHeaders | Flag.endStream, streamId, '88'));
  }

  goaway(lastStreamId: number, code = 0): void {
    const payload = Buffer.alloc(8);
    payload.writeUInt32BE(lastStreamId, 0);
    payload.writeUInt32BE(code, 4);
    this.send(frame(FrameType.goaway, 0, 0, payload));
  }

  reset(streamId: number, code: number): void {
    const payload = Buffer.alloc(4);
    payload.writeUInt32BE(code, 0);
    this.send(frame(FrameType.rstStream, 0, streamId, payload));
  }
}

export class ScriptedServer {
  readonly connections: ScriptedConnection[] = [];
  address = '';
  private readonly options: ScriptedOptions;
  private readonly server: net.Server;

  constructor(options: ScriptedOptions = {}) {
    this.options = options;
    this.server = net.createServer({ noDelay: true }, (socket) => this.onSocket(socket));
  }

  /** On an ephemeral port, or on that of a server that was there before. */
  async listen(port = 0): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(port, '127.0.0.1', resolve));
    const at = this.server.address();
    if (at === null || typeof at === 'string') throw new Error('the server has no port');
    this.address = `127.0.0.1:${at.port}`;
    return this.address;
  }

  get port(): number {
    return Number(this.address.slice(this.address.indexOf(':') + 1));
  }

  get requestCount(): number {
    return this.connections.reduce((sum, connection) => sum + connection.requests.length, 0);
  }

  get openCount(): number {
    return this.connections.filter(({ socket }) => !socket.destroyed).length;
  }

  async close(): Promise<void> {
    for (const { socket } of this.connections) socket.destroy();
    if (this.server.listening) await new Promise((resolve) => this.server.close(resolve));
  }

  private onSocket(socket: net.Socket): void {
    const { onRequest, onConnection, streamsMax, greets = true, answersPings = true } = this.options;
    const connection = new ScriptedConnection(socket);
    this.connections.push(connection);
    const ended = (streamId: number): void => {
      connection.requests.push(streamId);
      connection.lastStreamId = Math.max(connection.lastStreamId, streamId);
      if (onRequest === undefined) connection.answer(streamId);
      else onRequest(connection, streamId);
    };
    const reader = new FrameReader({
      isReading: true,
      onFrame: (type, flags, streamId, buf, start, end) => {
        connection.types.push(type);
        const isAck = (flags & Flag.ack) !== 0;
        if (type === FrameType.headers && (flags & Flag.endStream) !== 0) ended(streamId);
        else if (type === FrameType.settings && !isAck) connection.send(frame(FrameType.settings, Flag.ack, 0));
        else if (type === FrameType.ping && !isAck) {
          connection.pings++;
          if (answersPings) connection.send(frame(FrameType.ping, Flag.ack, 0, Buffer.from(buf.subarray(start, end))));
        }
      },
      onData: (streamId, flags, _buf, _start, _end, _flowBytes, last) => {
        if (last && (flags & Flag.endStream) !== 0) ended(streamId);
      },
      onFrameError: (_code, detail) => socket.destroy(new Error(detail)),
    });
    let skip = prefaceBytes.length;
    socket.on('data', (chunk: Buffer) => {
      const from = Math.min(skip, chunk.length);
      skip -= from;
      if (from < chunk.length) reader.push(chunk, from, chunk.length);
    });
    socket.on('error', () => {});
    if (greets) connection.greet(streamsMax);
    onConnection?.(connection);
  }
}
