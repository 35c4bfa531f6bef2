/**
 * The app of a live experiment, as a program of its own: the simulation's app, in real time behind a real HTTP/2 door.
 *
 *   node app-server.js '<AppSpec as JSON>' <name> <seed> <durationMs>
 *
 * Says where it listens, waits for a line with the begin of the experiment (ms on the machine's monotonic clock), and
 * when its input ends says what it did, as one line.
 */
import net from 'node:net';
import { createInterface } from 'node:readline';
import type { HttpStream } from '../../../sidecar/exchange/http-stream.ts';
import type { HeaderList } from '../../../sidecar/http2/hpack/field.ts';
import { parseLimits } from '../../../sidecar/http2/limits.ts';
import type { Http2Stream, StreamHandler } from '../../../sidecar/http2/stream.ts';
import { accept } from '../../../sidecar/io/accept.ts';
import { Http2Socket, type Http2SocketOwner } from '../../../sidecar/io/http2-socket.ts';
import { Recording } from '../recording.ts';
import type { AppSpec } from '../scenario.ts';
import { App } from '../sim/app.ts';
import { clockBeginMs, RealTime } from './real-time.ts';

const prefaceTimeoutMs = 10_000;
/** Apps do not guard themselves: that is what is being tested. */
const { limits } = parseLimits([
  'concurrentStreamsMax=100000',
  'controlFramesMax=1000000',
  'outputBytesMax=67108864',
  'resetSharePercentMax=100',
  'glitchesMax=10000000',
  'deadlineCancelsPerSecond=10000000',
]);

const [specText = '{}', name = 'app', seed = '1', durationMs = '1000'] = process.argv.slice(2);
const spec: AppSpec = JSON.parse(specText);
const recording = new Recording(Number(durationMs));
const record = recording.service(name);
let stage: RealTime | null = null;
let app: App | null = null;

const server = net.createServer({ noDelay: true }, (socket) => {
  accept(socket, prefaceTimeoutMs, {
    onHttp2: (http2) => {
      const connection = new AppConnection(http2);
      return (count, buf) => {
        stage?.catchUp();
        connection.socket.onRead(count, buf);
      };
    },
    onHttp1: (http1) => http1.destroy(),
  });
});

class AppConnection implements Http2SocketOwner {
  readonly peerAddress = '';
  readonly socket: Http2Socket;

  constructor(socket: net.Socket) {
    this.socket = new Http2Socket(socket, true, limits, this);
  }

  onRequest(stream: Http2Stream, list: HeaderList): void {
    if (app === null) return stream.reset(0);
    const answer = new Answer(stream);
    const call = app.request(list, true, answer);
    answer.call = call;
    stream.handler = answer;
  }

  onCapacity(): void {
    if (this.socket?.connection.isGoingAway) this.socket.closeIfDone();
  }

  onGoaway(): void {
    this.socket.closeIfDone();
  }

  onClosed(): void {}
}

/** Between the stream that came and the app's call: passes on both ways. */
class Answer implements StreamHandler {
  call: HttpStream | null = null;
  private readonly stream: Http2Stream;

  constructor(stream: Http2Stream) {
    this.stream = stream;
  }

  onHeaders(list: HeaderList, endStream: boolean): void {
    this.stream.sendHeaders(list, endStream);
  }

  onData(_buf: Buffer, start: number, end: number): void {
    this.stream.credit(end - start);
  }

  onTrailers(list: HeaderList): void {
    // From the app; a caller's trailers mean nothing to it.
    if (list.grpcStatus !== '') this.stream.sendTrailers(list);
  }

  onReset(code: number): void {
    this.call?.reset(code);
  }
}

server.listen(0, '127.0.0.1', () => {
  const at = server.address();
  const port = typeof at === 'object' && at !== null ? at.port : 0;
  console.log(JSON.stringify({ msg: 'listening', address: `127.0.0.1:${port}` }));
});

const input = createInterface({ input: process.stdin });
input.on('line', (line) => {
  const begun = new RealTime(Number(seed), recording, Number(line) - clockBeginMs());
  stage = begun;
  app = new App({ stage: begun, spec, name, record, callees: null });
});
input.on('close', () => {
  stage?.stop();
  const counts = { finished: Array.from(record.finished), begun: Array.from(record.begun) };
  process.stdout.write(`${JSON.stringify({ msg: 'record', ...counts })}\n`, () => process.exit(0));
});
