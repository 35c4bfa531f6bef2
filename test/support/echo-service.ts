/**
 * A real gRPC service for tests, with one method of each kind, and a client for it.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

interface Chunk {
  data: Buffer;
}

export interface EchoClient extends grpc.Client {
  unary(
    chunk: Chunk,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<Chunk>,
  ): grpc.ClientUnaryCall;
  fail(chunk: Chunk, callback: grpc.requestCallback<Chunk>): grpc.ClientUnaryCall;
  hang(
    chunk: Chunk,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<Chunk>,
  ): grpc.ClientUnaryCall;
  collect(callback: grpc.requestCallback<Chunk>): grpc.ClientWritableStream<Chunk>;
  spread(chunk: Chunk): grpc.ClientReadableStream<Chunk>;
  talk(): grpc.ClientDuplexStream<Chunk, Chunk>;
}

export interface EchoService {
  readonly address: string;
  readonly state: { started: number; cancelled: number; hanging: number; spread: number; failing: boolean };
  stop(): void;
}

/** Beside this file, or, once it is compiled, still in the sources. */
const path = ['./echo.proto', '../../../test/support/echo.proto']
  .map((place) => fileURLToPath(new URL(place, import.meta.url)))
  .find((file) => existsSync(file))!;
const definition = loadSync(path, { defaults: true });
const loaded = grpc.loadPackageDefinition(definition);

function serviceClient(): grpc.ServiceClientConstructor {
  const weir = loaded.weir;
  if (weir === undefined || typeof weir === 'function' || !('test' in weir)) throw new Error('echo.proto has changed');
  const inner = weir.test;
  if (inner === undefined || typeof inner === 'function' || !('Echo' in inner))
    throw new Error('echo.proto has changed');
  const echo = inner.Echo;
  if (typeof echo !== 'function') throw new Error('echo.proto has changed');
  return echo;
}

/** Spread sends this many chunks of the size asked for in the request's first four bytes; their own are their number. */
export const spreadChunks = 1024;

/** `authority`: what it calls the service, where that is not its address. */
export function echoClient(address: string, authority?: string): EchoClient {
  const client: grpc.Client = new (serviceClient())(address, grpc.credentials.createInsecure(), {
    'grpc.max_receive_message_length': -1,
    'grpc.use_local_subchannel_pool': 1,
    ...(authority !== undefined && { 'grpc.default_authority': authority }),
  });
  if (!isEchoClient(client)) throw new Error('echo.proto has changed');
  return client;
}

function isEchoClient(client: grpc.Client): client is EchoClient {
  return 'unary' in client && 'talk' in client && 'spread' in client;
}

export async function startEcho(): Promise<EchoService> {
  const state = { started: 0, cancelled: 0, hanging: 0, spread: 0, failing: false };
  const server = new grpc.Server({ 'grpc.max_receive_message_length': -1 });
  server.addService(serviceClient().service, {
    unary(call: grpc.ServerUnaryCall<Chunk, Chunk>, done: grpc.sendUnaryData<Chunk>) {
      state.started++;
      if (state.failing) return done({ code: grpc.status.INTERNAL, details: 'told to fail' });
      const trailer = new grpc.Metadata();
      trailer.set('x-echo-trailer', String(call.metadata.get('x-echo')[0] ?? ''));
      const head = new grpc.Metadata();
      head.set('x-echo-head', String(call.metadata.get('x-echo')[0] ?? ''));
      call.sendMetadata(head);
      done(null, { data: call.request.data }, trailer);
    },
    fail(_call: unknown, done: grpc.sendUnaryData<Chunk>) {
      done({ code: grpc.status.NOT_FOUND, details: 'nothing here: %ü' });
    },
    hang(call: grpc.ServerUnaryCall<Chunk, Chunk>, _done: unknown) {
      state.hanging++;
      call.on('cancelled', () => {
        state.cancelled++;
        state.hanging--;
      });
    },
    collect(call: grpc.ServerReadableStream<Chunk, Chunk>, done: grpc.sendUnaryData<Chunk>) {
      const parts: Buffer[] = [];
      call.on('data', (chunk: Chunk) => parts.push(chunk.data));
      call.on('end', () => done(null, { data: Buffer.concat(parts) }));
    },
    spread(call: grpc.ServerWritableStream<Chunk, Chunk>) {
      const bytes = call.request.data.readUInt32BE(0);
      let sent = 0;
      const more = (): void => {
        while (sent < spreadChunks) {
          sent++;
          const data = Buffer.alloc(bytes, sent & 0xff);
          if (bytes >= 4) data.writeUInt32BE(sent, 0);
          if (!call.write({ data })) {
            call.once('drain', more);
            return;
          }
        }
        state.spread++;
        call.end();
      };
      call.on('error', () => {});
      more();
    },
    talk(call: grpc.ServerDuplexStream<Chunk, Chunk>) {
      call.on('data', (chunk: Chunk) => call.write(chunk));
      call.on('end', () => call.end());
      call.on('error', () => {});
    },
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return { address: `127.0.0.1:${port}`, state, stop: () => server.forceShutdown() };
}
