/** The generated header blocks, judged by a decoder that is neither ours nor the generator's: node:http2's. */
import { createServer, type IncomingHttpHeaders } from 'node:http2';
import { afterEach, describe, expect, it } from 'vitest';
import { Histogram } from '../../../proto/kernel/histogram.ts';
import { XorShift32 } from '../../../proto/kernel/random.ts';
import { GeneratorConnection, type Tally } from '../../bench/generator-connection.ts';
import { makeBlockCycle } from '../../bench/header-blocks.ts';

const cleanUps: (() => void)[] = [];
afterEach(() => {
  for (const cleanUp of cleanUps.splice(0)) cleanUp();
});

/** Node's own decoder reads `count` requests of a cycle; resolves with their headers in order of arrival. */
async function readByNode(
  cycleLength: number,
  count: number,
  status = 200,
): Promise<{ seen: IncomingHttpHeaders[]; tally: Tally }> {
  const tally: Tally = { requests: 0, failures: 0, latency: new Histogram() };
  const seen: IncomingHttpHeaders[] = [];
  const server = createServer();
  const enough = new Promise<void>((resolve, reject) => {
    server.on('sessionError', reject);
    server.on('stream', (stream, headers) => {
      seen.push(headers);
      stream.respond({ ':status': status });
      stream.end('x'.repeat(100));
      if (seen.length === count + 20) resolve();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const connection = new GeneratorConnection({
    port: address !== null && typeof address === 'object' ? address.port : 0,
    streams: 8,
    openLoop: false,
    cycle: makeBlockCycle(3, cycleLength, new XorShift32(7)),
    tally,
    onEnd: () => {},
  });
  cleanUps.push(() => {
    connection.close();
    server.close();
  });
  await enough;
  return { seen: seen.slice(0, count), tally };
}

describe('header blocks of the unique generator', () => {
  it('are decoded by node:http2 into the headers meant, beyond eviction and beyond the wrap of the cycle', async () => {
    const { seen } = await readByNode(120, 300);
    for (const headers of seen) {
      expect(headers).toMatchObject({
        ':method': 'GET',
        ':scheme': 'http',
        ':authority': 'origin.bench',
        te: 'trailers',
        'user-agent': 'grpc-c-like/1.0 weir-bench',
        'x-client-id': 'client-3',
      });
      expect(headers[':path']).toMatch(/^\/shop\.Orders\/Get\/3-\d+-[0-9a-f]{8}$/);
      expect(headers['grpc-timeout']).toMatch(/^\d{7}u$/);
      expect(headers.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    }
  });

  it('are no two alike within a cycle', async () => {
    const { seen } = await readByNode(120, 120);
    for (const name of [':path', 'grpc-timeout', 'traceparent']) {
      expect(new Set(seen.map((headers) => headers[name])).size).toBe(120);
    }
  });

  it('count what was answered and keep the number of streams in flight', async () => {
    const { tally } = await readByNode(120, 300);
    expect(tally.requests).toBeGreaterThan(300);
    expect(tally.failures).toBe(0);
    expect(tally.latency.count).toBe(tally.requests);
  });

  it('count any answer but 200 as a failure', async () => {
    const { tally } = await readByNode(120, 50, 429);
    expect(tally.failures).toBeGreaterThan(40);
  });
});
