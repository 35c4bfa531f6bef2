/**
 * Load in which no two requests are alike, for the case in which no cache of header blocks can help: h2load repeats
 * its headers, real gRPC clients vary `grpc-timeout`, `traceparent` and paths on every call.
 *
 *   node unique-generator.js --port 8080 --connections 10 --streams 20 --seconds 5
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

const { values } = parseArgs({
  options: {
    port: { type: 'string' },
    connections: { type: 'string', default: '10' },
    streams: { type: 'string', default: '20' },
    seconds: { type: 'string', default: '5' },
  },
});
const port = Number(values.port);
const seconds = Number(values.seconds);

const cycles: BlockCycle[] = [];
for (let i = 0; i < Number(values.connections); i++) cycles.push(makeBlockCycle(i, cycleLength, new XorShift32(i + 1)));

const tally: Tally = { requests: 0, failures: 0, latency: new Histogram() };
const connections: GeneratorConnection[] = [];
let reconnects = 0;
let lastError = '';

function open(slot: number, cycle: BlockCycle): void {
  connections[slot] = new GeneratorConnection({
    port,
    streams: Number(values.streams),
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

console.log(JSON.stringify({ event: 'started' }));
cycles.forEach((cycle, slot) => {
  open(slot, cycle);
});
setTimeout(finish, seconds * 1000);
