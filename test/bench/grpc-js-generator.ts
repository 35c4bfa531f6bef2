/**
 * Unary gRPC calls as a Node program makes them: @grpc/grpc-js, a deadline on each, `streams` under way on each of
 * `connections` channels.
 *
 *   node grpc-js-generator.js --port 8080 --connections 4 --streams 25 --seconds 5
 */
import { parseArgs } from 'node:util';
import * as grpc from '@grpc/grpc-js';
import { Histogram } from '../../proto/kernel/histogram.ts';

const connectDeadlineMs = 5_000;
const callDeadlineMs = 10_000;
const payload = Buffer.alloc(100, 'x');

const { values } = parseArgs({
  options: {
    port: { type: 'string' },
    connections: { type: 'string', default: '4' },
    streams: { type: 'string', default: '25' },
    seconds: { type: 'string', default: '5' },
  },
});

const latency = new Histogram();
const metadata = new grpc.Metadata();
metadata.set('x-client-id', 'bench');
let requests = 0;
let failures = 0;
let lastError = '';
let running = true;

const asIs = (bytes: Buffer) => bytes;

function call(client: grpc.Client): void {
  const startedAtMs = performance.now();
  const options = { deadline: Date.now() + callDeadlineMs };
  client.makeUnaryRequest('/shop.Orders/Get', asIs, asIs, payload, metadata, options, (error, answer) => {
    if (!running) return;
    if (error === null && answer?.length === payload.length) {
      requests++;
      latency.record(performance.now() - startedAtMs);
    } else {
      failures++;
      lastError = error?.message ?? 'another answer';
    }
    call(client);
  });
}

const clients = Array.from({ length: Number(values.connections) }, () => {
  return new grpc.Client(`127.0.0.1:${values.port}`, grpc.credentials.createInsecure(), {
    'grpc.use_local_subchannel_pool': 1,
    'grpc.default_authority': 'origin.bench',
  });
});
await Promise.all(
  clients.map((client) => {
    return new Promise<void>((resolve, reject) => {
      client.waitForReady(Date.now() + connectDeadlineMs, (error) => (error === undefined ? resolve() : reject(error)));
    });
  }),
);
console.log(JSON.stringify({ event: 'started' }));
for (const client of clients) for (let i = 0; i < Number(values.streams); i++) call(client);
setTimeout(() => {
  running = false;
  const [meanUs, p99Us] = [(latency.sumMs / latency.count) * 1000, latency.quantileMs(0.99) * 1000];
  console.log(JSON.stringify({ event: 'finished', requests, failures, meanUs, p99Us, lastError }));
  process.exit(0);
}, Number(values.seconds) * 1000);
