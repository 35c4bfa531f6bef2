/**
 * The app behind the attacked sidecar: our own engine without limits. Node's server would not do: it counts resets itself
 * and closes the sidecar's connection, so the test would see node's defence instead of ours.
 */
import net from 'node:net';
import { HeaderList } from '../../../sidecar/http2/hpack/field.ts';
import { defaultLimits } from '../../../sidecar/http2/limits.ts';
import type { Http2Stream, StreamHandler } from '../../../sidecar/http2/stream.ts';
import { Http2Socket } from '../../../sidecar/io/http2-socket.ts';

/** What it has seen, but for the requests of the good client. */
export interface AppState {
  requests: number;
  cancelled: number;
}

export interface App {
  readonly address: string;
  readonly state: AppState;
  stop(): void;
}

const limits = { ...defaultLimits, resetSharePercentMax: 100, concurrentStreamsMax: 10_000 };
const ok = HeaderList.of([[':status', '200']]);
const small = Buffer.from('ok');
const big = Buffer.alloc(1024 * 1024);

/** What `/messages` answers with: so many messages of so many bytes, each in a turn of its own. */
export const messages = { count: 900, bytes: 7 } as const;

/** `/hang` never answers, `/big` answers with 1 MiB, `/messages` with many small pieces; everything else with `ok` once the request is whole. */
export async function startApp(): Promise<App> {
  const state: AppState = { requests: 0, cancelled: 0 };
  const sockets = new Set<net.Socket>();
  const server = net.createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    const connection = new Http2Socket(socket, true, limits, {
      peerAddress: '',
      onRequest: (stream, head, endStream) => {
        if (head.path !== '/good') state.requests++;
        const answer = new Answer(stream, head.path, state);
        stream.handler = answer;
        if (endStream) answer.send();
      },
      onCapacity: () => {},
      onGoaway: () => {},
      onClosed: () => sockets.delete(socket),
    });
    socket.on('data', (chunk: Buffer) => connection.onRead(chunk.length, chunk));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port }: net.AddressInfo = Object.assign({ address: '', family: '', port: 0 }, server.address());
  const stop = (): void => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  return { address: `127.0.0.1:${port}`, state, stop };
}

class Answer implements StreamHandler {
  private readonly stream: Http2Stream;
  private readonly path: string;
  private readonly state: AppState;

  constructor(stream: Http2Stream, path: string, state: AppState) {
    this.stream = stream;
    this.path = path;
    this.state = state;
  }

  send(): void {
    if (this.path === '/hang') return;
    if (this.path === '/messages') return this.sendMessages();
    const content = this.path === '/big' ? big : small;
    this.stream.sendHeaders(ok, false);
    this.stream.sendData(content, 0, content.length, true);
  }

  private sendMessages(): void {
    let left = messages.count;
    const message = Buffer.alloc(messages.bytes);
    this.stream.sendHeaders(ok, false);
    const next = (): void => {
      left--;
      this.stream.sendData(message, 0, message.length, left === 0);
      if (left > 0) setImmediate(next);
    };
    next();
  }

  onHeaders(): void {}

  onData(_buf: Buffer, start: number, end: number, endStream: boolean): void {
    if (this.path !== '/hang') this.stream.credit(end - start);
    if (endStream) this.send();
  }

  onTrailers(): void {
    this.send();
  }

  onReset(): void {
    this.state.cancelled++;
  }
}
