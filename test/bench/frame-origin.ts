/**
 * An origin that answers anything with 200 and 100 bytes, and looks at nothing: it shares its core with the load
 * generator, so whatever it spends the proxy under test is not offered. It does respect the proxy's flow control.
 * With `--grpc` the answer is a gRPC message of 100 bytes and trailers that say OK.
 *
 *   node frame-origin.js [--grpc]            prints {"port": …}
 */
import { createServer, type Socket } from 'node:net';
import {
  clientPreface,
  FrameReader,
  frame,
  frameFlag,
  frameType,
  pingAckFrame,
  settingId,
  settingIn,
  settingsAck,
  settingsFrame,
  windowUpdateFrame,
} from './frame-reader.ts';

const initialWindowBytes = 65_535;
/** Content received is credited to the connection in steps of this. */
const creditStepBytes = 16_384;
const endHeaders = 0x04;
const isGrpc = process.argv.includes('--grpc');

/** Fields never indexed (RFC 7541 §6.2.2), names by their static index or spelled out. */
function literal(name: number | string, value: string): Buffer {
  const prefix =
    typeof name === 'string'
      ? [0x00, name.length, ...Buffer.from(name, 'latin1')]
      : name < 15
        ? [name]
        : [0x0f, name - 15];
  return Buffer.from([...prefix, value.length, ...Buffer.from(value, 'latin1')]);
}
const status200 = Buffer.from([0x88]);
const contentType = 31;
const contentLength = 28;

const plainResponse = [
  frame(
    frameType.headers,
    endHeaders,
    0,
    Buffer.concat([status200, literal(contentType, 'text/plain'), literal(contentLength, '100')]),
  ),
  frame(frameType.data, frameFlag.endStream, 0, Buffer.alloc(100, 'x')),
];
const grpcResponse = [
  frame(frameType.headers, endHeaders, 0, Buffer.concat([status200, literal(contentType, 'application/grpc')])),
  frame(frameType.data, 0, 0, Buffer.concat([Buffer.from([0, 0, 0, 0, 100]), Buffer.alloc(100, 'x')])),
  frame(frameType.headers, endHeaders | frameFlag.endStream, 0, literal('grpc-status', '0')),
];
const frames = isGrpc ? grpcResponse : plainResponse;
const response = Buffer.concat(frames);
const bodyBytes = isGrpc ? 105 : 100;
/** Where the stream ids stand in `response`. */
const idsAt = frames.map((_, i) => 5 + frames.slice(0, i).reduce((sum, { length }) => sum + length, 0));

class OriginConnection {
  private readonly socket: Socket;
  private readonly reader: FrameReader;
  private windowBytes = initialWindowBytes;
  private uncreditedBytes = 0;
  private waiting: number[] = [];
  private control: Buffer[] = [settingsFrame([[settingId.concurrentStreamsMax, 100]])];

  constructor(socket: Socket) {
    this.socket = socket;
    this.reader = new FrameReader(
      (type, flags, id, bytes, start, end) => this.onFrame(type, flags, id, bytes, start, end),
      clientPreface.length,
    );
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => {
      this.reader.read(chunk);
      this.answer();
    });
    socket.on('error', () => socket.destroy());
    this.answer();
  }

  private onFrame(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    switch (type) {
      case frameType.data:
        this.uncreditedBytes += end - start;
        if (this.uncreditedBytes >= creditStepBytes) {
          this.control.push(windowUpdateFrame(0, this.uncreditedBytes));
          this.uncreditedBytes = 0;
        }
        if ((flags & frameFlag.endStream) !== 0) this.waiting.push(streamId);
        break;
      case frameType.headers:
        if ((flags & frameFlag.endStream) !== 0) this.waiting.push(streamId);
        break;
      case frameType.windowUpdate:
        if (streamId === 0) this.windowBytes += bytes.readUInt32BE(start) & 0x7fffffff;
        break;
      case frameType.settings:
        if ((flags & frameFlag.ack) !== 0) break;
        if ((settingIn(bytes, start, end, settingId.initialWindowBytes) ?? initialWindowBytes) < bodyBytes) {
          this.socket.destroy(new Error('a stream window smaller than the body is not what this origin is for'));
        }
        this.control.push(settingsAck);
        break;
      case frameType.ping:
        if ((flags & frameFlag.ack) === 0) this.control.push(pingAckFrame(bytes, start));
        break;
    }
  }

  private answer(): void {
    const count = Math.min(this.waiting.length, Math.floor(this.windowBytes / bodyBytes));
    if (count === 0 && this.control.length === 0) return;
    const bytes = Buffer.allocUnsafe(count * response.length);
    for (let i = 0; i < count; i++) {
      const at = i * response.length;
      response.copy(bytes, at);
      for (const idAt of idsAt) bytes.writeUInt32BE(this.waiting[i]!, at + idAt);
    }
    this.waiting = count === this.waiting.length ? [] : this.waiting.slice(count);
    this.windowBytes -= count * bodyBytes;
    this.socket.write(this.control.length === 0 ? bytes : Buffer.concat([...this.control, bytes]));
    this.control = [];
  }
}

const server = createServer((socket) => new OriginConnection(socket));
server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
  const address = server.address();
  console.log(JSON.stringify({ port: address !== null && typeof address === 'object' ? address.port : 0 }));
});
