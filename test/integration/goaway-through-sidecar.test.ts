/** Upstreams that end their connections under load, as callers of a real sidecar see it: not at all. */
import http2 from 'node:http2';
import { afterEach, expect, test } from 'vitest';
import { ScriptedServer } from '../support/scripted-server.ts';
import { type RunningSidecar, startSidecar } from '../support/sidecar.ts';

let sidecar: RunningSidecar;
let server: ScriptedServer;

afterEach(async () => {
  await sidecar.stop();
  await server.close();
});

test('GOAWAY every 10 requests, with 100 requests at a time, fails not one of 3,000', async () => {
  server = new ScriptedServer({
    onRequest: (connection, streamId) => {
      const number = connection.requests.length;
      if (number > 10) return;
      connection.answer(streamId);
      if (number === 10) connection.goaway(streamId);
    },
  });
  sidecar = await startSidecar({ argv: ['--app', await server.listen()] });
  const session = http2.connect(`http://${sidecar.inbound}`);
  const statuses: Record<string, number> = {};
  let left = 3000;
  const worker = async (): Promise<void> => {
    while (left-- > 0) {
      const status = await new Promise<string>((resolve) => {
        const stream = session.request({ ':path': '/' });
        let seen = 'no answer';
        stream.on('response', (headers) => {
          seen = `${headers[':status']} ${headers['weir-reason'] ?? ''}`.trim();
        });
        stream.on('error', (error) => resolve(error.message));
        stream.on('close', () => resolve(seen));
        stream.resume();
      });
      statuses[status] = (statuses[status] ?? 0) + 1;
    }
  };
  await Promise.all(Array.from({ length: 100 }, worker));
  session.close();
  expect(statuses).toEqual({ 200: 3000 });
  expect(server.connections.length).toBeGreaterThanOrEqual(300);
});
