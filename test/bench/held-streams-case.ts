/**
 * What ten thousand requests under way hold: 1,000 connections with 10 requests each, all of them with an origin that
 * does not answer. Under load the same number of requests shows what a collector lets lie; this shows what is needed.
 */
import { once } from 'node:events';
import { createServer, type Http2Server } from 'node:http2';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { heldStreamsCase } from './cases.ts';
import { plainSetting } from './config-template.ts';
import { type FigureName, rounded } from './figures.ts';
import {
  clientPreface,
  FrameReader,
  frame,
  frameFlag,
  frameType,
  pingAckFrame,
  settingsAck,
  settingsFrame,
} from './frame-reader.ts';
import { processRssMb } from './process-stat.ts';
import type { ProxyKind, RunningProxy } from './proxy-kind.ts';
import type { CaseResult, Row } from './report.ts';
import { type Bench, failureOf, startContext } from './run-case.ts';

const connections = 1000;
const streamsEach = 10;
/** So many are opened at a time: a listener's backlog is finite. */
const connectionsAtOnce = 50;
const settleMs = 2_000;
const holdMs = 4_000;
const columns: readonly FigureName[] = ['rssMb', 'rssBeforeMb'];
const endHeaders = 0x04;
/** :method GET, :scheme http, :path /, :authority a: put into the table once, then found there (RFC 7541 §6). */
const firstBlock = [0x82, 0x86, 0x84, 0x41, 0x01, 0x61];
const laterBlock = [0x82, 0x86, 0x84, 0xbe];

export async function measureHeldStreams(bench: Bench): Promise<CaseResult> {
  const proxies = new Map<string, Row>();
  const outside = new Map<string, string>();
  const origin = await startOrigin();
  for (const kind of bench.kinds) {
    const failure = await failureOf(async () => {
      proxies.set(kind.name, await measureKind(bench, kind, origin));
    });
    if (failure === null) continue;
    outside.set(kind.name, failure);
    bench.complain(`${kind.name} in ${heldStreamsCase.name}: ${failure}`);
  }
  origin.close();
  return { name: heldStreamsCase.name, columns, proxies, outside };
}

async function startOrigin(): Promise<Http2Server> {
  const server = createServer({ settings: { maxConcurrentStreams: connections * streamsEach } });
  server.on('stream', (stream) => stream.on('error', () => {}));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

async function measureKind(bench: Bench, kind: ProxyKind, origin: Http2Server): Promise<Row> {
  bench.progress(`${kind.name}: ${connections} connections`);
  const proxy = await kind.start(startContext(bench, (origin.address() as AddressInfo).port, plainSetting));
  const sockets: Socket[] = [];
  let ended = 0;
  const onEnd = (): void => void ended++;
  try {
    while (sockets.length < connections) {
      for (let i = 0; i < connectionsAtOnce; i++) sockets.push(openConnection(proxy.port, onEnd));
      await delay(20);
    }
    await delay(settleMs);
    const rssBeforeMb = processRssMb(proxy.child.pid);
    const requests = Buffer.concat(Array.from({ length: streamsEach }, (_, i) => request(2 * i + 1)));
    for (const socket of sockets) socket.write(requests);
    await delay(holdMs);
    return rowOf(proxy, rssBeforeMb, ended);
  } finally {
    for (const socket of sockets) socket.destroy();
    await proxy.child.stop();
  }
}

/** A client that asks when it is told to, and does what the protocol wants of it. */
function openConnection(port: number, onEnd: () => void): Socket {
  const socket = connect(port, '127.0.0.1');
  const reader = new FrameReader((type, flags, _id, bytes, start) => {
    if (type === frameType.headers || type === frameType.resetStream || type === frameType.goAway) return onEnd();
    if ((flags & frameFlag.ack) !== 0) return;
    if (type === frameType.settings) socket.write(settingsAck);
    else if (type === frameType.ping) socket.write(pingAckFrame(bytes, start));
  });
  socket.on('error', () => socket.destroy());
  socket.on('data', (bytes) => reader.read(bytes));
  socket.write(Buffer.concat([clientPreface, settingsFrame([])]));
  return socket;
}

function request(streamId: number): Buffer {
  return frame(frameType.headers, endHeaders | frameFlag.endStream, streamId, streamId === 1 ? firstBlock : laterBlock);
}

function rowOf({ child }: RunningProxy, rssBeforeMb: number, ended: number): Row {
  return {
    figures: { rssMb: rounded('rssMb', processRssMb(child.pid)), rssBeforeMb: rounded('rssMb', rssBeforeMb) },
    spread: null,
    notes: [],
    invalid: ended === 0 ? null : `${ended} of ${connections * streamsEach} ended before their time`,
  };
}
