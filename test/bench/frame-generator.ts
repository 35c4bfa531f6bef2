/**
 * Load in which no two requests are alike, for the case in which no cache of header blocks can help: h2load repeats
 * its headers, real gRPC clients vary `grpc-timeout`, `traceparent` and paths on every call. With `--rps` it is an
 * open loop: that many a second, whatever becomes of them, in steps of about a millisecond.
 *
 *   node frame-generator.js --port 8080 --connections 10 --streams 20 --seconds 5 [--rps 1000] [--path /b100]
 *
 * Prints `{"event":"started"}` when the blocks are made and the load begins, and one line with the result at the end.
 */
import { parseArgs } from 'node:util';
import { Histogram } from '../../proto/kernel/histogram.ts';
import { XorShift32 } from '../../proto/kernel/random.ts';
import { GeneratorConnection, type Tally } from './generator-connection.ts';
import { type BlockCycle, makeBlockCycle } from './header-blocks.ts';

/** Distinct requests per connection before a path comes again: times ten connections, more than a cache would hold. */
const cycleLength = 16_384;
const reconnectsMax = 100;
/** In an open loop connections are made before the first request is due. */
const connectMs = 200;

const { values } = parseArgs({
  options: {
    port: { type: 'string' },
    connections: { type: 'string', default: '10' },
    streams: { type: 'string', default: '20' },
    seconds: { type: 'string', default: '5' },
    rps: { type: 'string' },
    path: { type: 'string' },
  },
});
const port = Number(values.port);
const seconds = Number(values.seconds);
const rps = values.rps === undefined ? null : Number(values.rps);

const cycles: BlockCycle[] = [];
for (let i = 0; i < Number(values.connections); i++) {
  cycles.push(makeBlockCycle(i, cycleLength, new XorShift32(i + 1), values.path));
}

const tally: Tally = { requests: 0, failures: 0, latency: new Histogram() };
const connections: GeneratorConnection[] = [];
let reconnects = 0;
let lastError = '';

function open(slot: number, cycle: BlockCycle): void {
  connections[slot] = new GeneratorConnection({
    port,
    streams: Number(values.streams),
    openLoop: rps !== null,
    cycle,
    tally,
    onEnd: (error) => {
      if (error === null) return;
      lastError = error.message;
      reconnects++;
      if (reconnects > reconnectsMax) finish();
      else setTimeout(() => open(slot, cycle), 10);
    },
  });
}

function finish(): never {
  for (const connection of connections) connection.close();
  const { requests, failures, latency } = tally;
  console.log(
    JSON.stringify({
      event: 'finished',
      requests,
      failures,
      meanUs: (latency.sumMs / latency.count) * 1000,
      p99Us: latency.quantileMs(0.99) * 1000,
      reconnects,
      lastError,
    }),
  );
  process.exit(0);
}

/** As many as are due by now, each on the next connection. */
function sendAtRate(rate: number): void {
  const startedAtMs = performance.now();
  let sent = 0;
  const step = () => {
    const nowMs = performance.now();
    const due = Math.floor(((nowMs - startedAtMs) * rate) / 1000);
    for (; sent < due; sent++) connections[sent % connections.length]?.send(nowMs);
    setTimeout(step, 1);
  };
  step();
}

function start(): void {
  console.log(JSON.stringify({ event: 'started' }));
  if (rps !== null) sendAtRate(rps);
  setTimeout(finish, seconds * 1000);
}

if (rps === null) start();
cycles.forEach((cycle, slot) => {
  open(slot, cycle);
});
if (rps !== null) setTimeout(start, connectMs);
