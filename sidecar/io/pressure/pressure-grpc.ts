/**
 * gRPC on the admin door: its port hears HTTP/1.1 and, with the proxy's own engine, HTTP/2. Bounded in connections and
 * streams; who comes beyond is told to go.
 */
import type { Server } from 'node:http';
import type net from 'node:net';
import { ErrorCode } from '../../http2/constants.ts';
import { HeaderList } from '../../http2/hpack/field.ts';
import { parseLimits } from '../../http2/limits.ts';
import type { Http2Stream } from '../../http2/stream.ts';
import { accept } from '../accept.ts';
import { Http2Socket, type Http2SocketOwner } from '../http2-socket.ts';
import { PressureCall } from './pressure-call.ts';
import type { PressureControl } from './pressure-control.ts';

const path = '/weir.v1.Pressure/Control';
const connectionsMax = 16;
const protocolTimeoutMs = 10_000;
const { limits } = parseLimits(['concurrentStreamsMax=16']);

const unimplemented = HeaderList.of([
  [':status', '200'],
  ['content-type', 'application/grpc'],
  ['grpc-status', '12'],
  ['grpc-message', `this port has ${path} and nothing else`],
]);

export class PressureGrpc {
  private readonly pressure: PressureControl;
  private readonly connections = new Set<Http2Socket>();

  constructor(pressure: PressureControl) {
    this.pressure = pressure;
  }

  /** From now on the server's port hears HTTP/2 too. */
  listenOn(server: Server): void {
    const listeners = server.listeners('connection');
    server.removeAllListeners('connection');
    server.on('connection', (socket: net.Socket) => {
      accept(socket, protocolTimeoutMs, {
        onHttp2: (http2) => {
          const connection = this.open(http2);
          return (count, buf) => connection.onRead(count, buf);
        },
        onHttp1: (http1) => {
          for (const listener of listeners) Reflect.apply(listener, server, [http1]);
        },
      });
    });
  }

  close(): void {
    for (const connection of this.connections) connection.destroy();
  }

  private open(socket: net.Socket): Http2Socket {
    const owner: Http2SocketOwner = {
      peerAddress: socket.remoteAddress ?? '',
      onRequest: (stream, list) => this.onRequest(stream, list),
      onCapacity: () => {
        if (connection.connection.isGoingAway) connection.closeIfDone();
      },
      onGoaway: () => connection.closeIfDone(),
      onClosed: () => this.connections.delete(connection),
    };
    const connection: Http2Socket = new Http2Socket(socket, true, limits, owner);
    this.connections.add(connection);
    if (this.connections.size > connectionsMax) connection.drain();
    return connection;
  }

  private onRequest(stream: Http2Stream, list: HeaderList): void {
    if (list.isGrpc && list.path === path) {
      new PressureCall(stream, this.pressure);
      return;
    }
    stream.sendHeaders(unimplemented, true);
    stream.reset(ErrorCode.noError);
  }
}
