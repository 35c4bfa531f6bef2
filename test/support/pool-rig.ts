/**
 * Requests through a real UpstreamPool, as an exchange would make them, each ending in a word: `200`, or why not.
 */
import { reasonName } from '../../proto/reasons.ts';
import type { UpstreamConnection } from '../../sidecar/exchange/http-stream.ts';
import { Protocol } from '../../sidecar/exchange/http-stream.ts';
import { HeaderList } from '../../sidecar/http2/hpack/field.ts';
import { ResetCause } from '../../sidecar/http2/stream.ts';
import type { UpstreamPool } from '../../sidecar/io/upstream/pool.ts';

const head = HeaderList.of([
  [':method', 'GET'],
  [':scheme', 'http'],
  [':path', '/'],
  [':authority', 'test'],
]);
const connectTimeoutMs = 2000;

/** Resolves when the answer ended. A request that the peer surely did not process is made again. */
export function requestThrough(pool: UpstreamPool, address: string, timeoutMs = connectTimeoutMs): Promise<string> {
  return new Promise((resolve) => {
    const attempt = (): void =>
      pool.connect(address, Protocol.http2, timeoutMs, {
        onConnection: (connection: UpstreamConnection) => {
          connection.request(head, true, {
            onHeaders: (list, endStream) => {
              if (endStream) resolve(String(list.status));
            },
            onData: (_buf, _start, _end, endStream) => {
              if (endStream) resolve('200');
            },
            onTrailers: () => resolve('200'),
            onReset: (code, cause) => {
              if (cause === ResetCause.unprocessed) attempt();
              else resolve(`reset ${code} cause ${cause}`);
            },
          });
        },
        onConnectFailed: (reason, detail) => resolve(`${reasonName(reason)}: ${detail}`),
      });
    attempt();
  });
}
