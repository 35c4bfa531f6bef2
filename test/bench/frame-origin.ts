/**
 * An origin that answers anything with 200 and 100 bytes, and looks at nothing: it shares its core with the load
 * generator, so whatever it spends the proxy under test is not offered. It does respect the proxy's flow control.
 *
 *   node frame-origin.js            prints {"port": …}
 */
import { createServer, type Socket } from 'node:net';
import {
  clientPreface,
  FrameReader,
  frame,
  frameFlag,
  frameHeaderBytes,
  frameType,
  pingAckFrame,
  settingId,
  settingIn,
  settingsAck,
  settingsFrame,
} from './frame-reader.ts';

const bodyBytes = 100;
const initialWindowBytes = 65_535;

/** `:status: 200`, `content-type: text/plain`, `content-length: 100`, none of them indexed (RFC 7541 §6.2.2). */
const headerBlock = Buffer.concat([
  Buffer.from([0x88, 0x0f, 0x10, 10]),
  Buffer.from('text/plain', 'latin1'),
  Buffer.from([0x0f, 0x0d, 3]),
  Buffer.from('100', 'latin1'),
]);
const endHeaders = 0x04;
const response = Buffer.concat([
  frame(frameType.headers, endHeaders, 0, headerBlock),
  frame(frameType.data, frameFlag.endStream, 0, Buffer.alloc(bodyBytes, 'x')),
]);
const headersIdAt = 5;
const dataIdAt = frameHeaderBytes + headerBlock.length + 5;

class OriginConnection {
  private readonly socket: Socket;
  private readonly reader: FrameReader;
  private windowBytes = initialWindowBytes;
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
      case frameType.headers:
      case frameType.data:
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
      bytes.writeUInt32BE(this.waiting[i]!, at + headersIdAt);
      bytes.writeUInt32BE(this.waiting[i]!, at + dataIdAt);
    }
    this.waiting = count === this.waiting.length ? [] : this.waiting.slice(count);
    this.windowBytes -= count * bodyBytes;
    this.socket.write(this.control.length === 0 ? bytes : Buffer.concat([...this.control, bytes]));
    this.control = [];
  }
}

const server = createServer((socket) => new OriginConnection(socket));
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  console.log(JSON.stringify({ port: address !== null && typeof address === 'object' ? address.port : 0 }));
});
