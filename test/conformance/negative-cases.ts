/**
 * What gRPC's negative HTTP/2 cases ask of a client, asked of grpc-js through the proxy while a scripted server
 * misbehaves: https://github.com/grpc/grpc/blob/master/doc/negative-http2-interop-test-descriptions.md
 * Each case is given a way to put its server behind the proxy, so that they run against processes and in tests alike.
 */
import * as grpc from '@grpc/grpc-js';
import { ErrorCode, Flag, FrameType } from '../../sidecar/http2/constants.ts';
import { type EchoClient, echoClient } from '../support/echo-service.ts';
import { type ScriptedConnection, type ScriptedOptions, ScriptedServer } from '../support/scripted-server.ts';
import { until } from '../support/until.ts';
import { frame } from '../support/wire.ts';

export interface Proxied {
  /** Where callers go. */
  readonly address: string;
  stop(): Promise<void>;
}

export interface NegativeCase {
  readonly name: string;
  run(startProxy: (app: string) => Promise<Proxied>): Promise<void>;
}

/** `:status: 200` and `content-type: application/grpc`, nothing of it indexed. */
const head = `880f10${literal('application/grpc')}`;
/** `grpc-status: 0`. */
const trailers = `00${literal('grpc-status')}${literal('0')}`;
/** An empty message. */
const message = '0000000000';

function literal(text: string): string {
  return text.length.toString(16).padStart(2, '0') + Buffer.from(text).toString('hex');
}

function sendHead(connection: ScriptedConnection, streamId: number): void {
  connection.send(frame(FrameType.headers, Flag.endHeaders, streamId, head));
}

function sendMessage(connection: ScriptedConnection, streamId: number, content = message): void {
  connection.send(frame(FrameType.data, 0, streamId, content));
}

function answer(connection: ScriptedConnection, streamId: number): void {
  sendHead(connection, streamId);
  sendMessage(connection, streamId);
  connection.send(frame(FrameType.headers, Flag.endHeaders | Flag.endStream, streamId, trailers));
}

/** How a call ended: its status, and whether a message came. */
interface Ending {
  readonly code: number;
  readonly hasMessage: boolean;
}

function call(client: EchoClient): Promise<Ending> {
  return new Promise((resolve) => {
    const options = { deadline: Date.now() + 10_000 };
    client.unary({ data: Buffer.alloc(3) }, new grpc.Metadata(), options, (error, chunk) => {
      resolve({ code: error === null ? grpc.status.OK : error.code, hasMessage: chunk !== undefined });
    });
  });
}

function expectOk(ending: Ending, what: string): void {
  if (ending.code !== grpc.status.OK) throw new Error(`${what} ended with ${grpc.status[ending.code]}`);
}

/** A call that was cut off is told so, and soon: never OK, and never left to its deadline. */
function expectFailed(ending: Ending): void {
  const isTold = ending.code !== grpc.status.OK && ending.code !== grpc.status.DEADLINE_EXCEEDED;
  if (!isTold || ending.hasMessage) throw new Error(`a truncated answer ended with ${grpc.status[ending.code]}`);
}

type Play = (client: EchoClient, server: ScriptedServer) => Promise<void>;

async function behindProxy(proxy: Proxied, server: ScriptedServer, play: Play): Promise<void> {
  const client = echoClient(proxy.address);
  try {
    await play(client, server);
  } finally {
    client.close();
    await proxy.stop();
  }
}

function negativeCase(name: string, options: ScriptedOptions, play: Play): NegativeCase {
  return {
    name,
    async run(startProxy) {
      const server = new ScriptedServer(options);
      const app = await server.listen();
      try {
        await behindProxy(await startProxy(app), server, play);
      } finally {
        await server.close();
      }
    },
  };
}

export const negativeCases: readonly NegativeCase[] = [
  negativeCase(
    'goaway',
    {
      onRequest: (connection, streamId) => {
        answer(connection, streamId);
        connection.goaway(streamId);
      },
    },
    async (client, server) => {
      expectOk(await call(client), 'the call before GOAWAY');
      expectOk(await call(client), 'the call after GOAWAY');
      if (server.connections.length < 2) throw new Error('the second call came over the connection that was leaving');
    },
  ),
  negativeCase(
    'goaway_unprocessed',
    {
      onRequest: (connection, streamId) => {
        if (connection.requests.length === 1) answer(connection, streamId);
        else if (connection.requests.length === 2) {
          connection.goaway(1);
          connection.socket.end();
        }
      },
    },
    async (client, server) => {
      expectOk(await call(client), 'the first call');
      // The server says that it has not looked at the second one, which had content: it is sent again.
      expectOk(await call(client), 'the call above the last stream');
      if (server.connections.length < 2) throw new Error('nothing was sent again');
    },
  ),
  negativeCase(
    'refused_stream',
    {
      onRequest: (connection, streamId) => {
        if (connection.requests.length === 1) connection.reset(streamId, ErrorCode.refusedStream);
        else answer(connection, streamId);
      },
    },
    async (client) => expectOk(await call(client), 'the refused call'),
  ),
  negativeCase(
    'rst_after_header',
    {
      onRequest: (connection, streamId) => {
        sendHead(connection, streamId);
        connection.reset(streamId, ErrorCode.noError);
      },
    },
    async (client) => expectFailed(await call(client)),
  ),
  negativeCase(
    'rst_during_data',
    {
      onRequest: (connection, streamId) => {
        sendHead(connection, streamId);
        sendMessage(connection, streamId, '000000000a0102');
        connection.reset(streamId, ErrorCode.noError);
      },
    },
    async (client) => expectFailed(await call(client)),
  ),
  negativeCase(
    'rst_after_data',
    {
      onRequest: (connection, streamId) => {
        sendHead(connection, streamId);
        sendMessage(connection, streamId);
        connection.reset(streamId, ErrorCode.noError);
      },
    },
    async (client) => {
      const ending = await call(client);
      if (ending.code === grpc.status.OK) throw new Error('a call without trailers ended with OK');
    },
  ),
  negativeCase(
    'ping',
    {
      onRequest: (connection, streamId) => {
        for (let i = 0; i < 5; i++) connection.send(frame(FrameType.ping, 0, 0, Buffer.alloc(8, i)));
        answer(connection, streamId);
      },
    },
    async (client, server) => {
      expectOk(await call(client), 'the call with PINGs');
      const acks = (): number => server.connections[0]!.types.filter((type) => type === FrameType.ping).length;
      await until(() => acks() === 5, { what: 'all five PINGs are answered' });
    },
  ),
  negativeCase('max_streams', oneStreamAtATime(), async (client) => {
    expectOk(await call(client), 'the first call');
    const calls = await Promise.all(Array.from({ length: 15 }, () => call(client)));
    for (const ending of calls) expectOk(ending, 'one of 15 calls at a time');
  }),
];

/** A second stream on a connection, while the first is unanswered, ends the connection and so the calls. */
function oneStreamAtATime(): ScriptedOptions {
  const unanswered = new Map<ScriptedConnection, number>();
  return {
    streamsMax: 1,
    onRequest: (connection, streamId) => {
      const count = (unanswered.get(connection) ?? 0) + 1;
      unanswered.set(connection, count);
      if (count > 1) connection.goaway(streamId, ErrorCode.protocolError);
      if (count > 1) return connection.socket.destroy();
      setImmediate(() => {
        unanswered.set(connection, 0);
        answer(connection, streamId);
      });
    },
  };
}
