/**
 * Loaded before the sidecar by node's --import, so that production needs no hook for tests: answers each connection on
 * the Unix socket named by SOAK_PROBE with what this process holds after a garbage collection, as one line of JSON.
 */
import { createServer } from 'node:net';
import { isMainThread } from 'node:worker_threads';
import { collectGarbage } from '../support/garbage.ts';

const path = process.env.SOAK_PROBE;

if (path !== undefined && isMainThread) {
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    collectGarbage();
    // What finalisers and closed handles let go is collected in a second round.
    setImmediate(() => {
      collectGarbage();
      const { heapUsed, rss, arrayBuffers } = process.memoryUsage();
      const handles: Record<string, number> = {};
      for (const kind of process.getActiveResourcesInfo()) handles[kind] = (handles[kind] ?? 0) + 1;
      socket.end(`${JSON.stringify({ heapUsed, rss, arrayBuffers, handles })}\n`);
    });
  });
  server.listen(path);
  server.unref();
}
