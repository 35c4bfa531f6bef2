/** Upstreams that end their connections under load, as callers of a real sidecar see it: not at all. */
import http2 from 'node:http2';
import { afterEach, describe, expect, test } from 'vitest';
import { ScriptedServer } from '../support/scripted-server.ts';
import { type RunningSidecar, startSidecar } from '../support/sidecar.ts';

let sidecar: RunningSidecar;
let server: ScriptedServer;

afterEach(async () => {
  await sidecar.stop();
  await server.close();
});

/** `total` requests, 100 at a time; how often each ending was seen. */
async function load(total: number, content: string): Promise<Record<string, number>> {
  const session = http2.connect(`http://${sidecar.inbound}`);
  const endings: Record<string, number> = {};
  let left = total;
  const request = (): Promise<string> =>
    new Promise((resolve) => {
      const stream = session.request({ ':path': '/', ':method': content === '' ? 'GET' : 'POST' });
      let seen = 'no answer';
      stream.on('response', (headers) => {
        seen = `${headers[':status']} ${headers['weir-reason'] ?? ''}`.trim();
      });
      stream.on('error', (error) => resolve(error.message));
      stream.on('close', () => resolve(seen));
      stream.resume();
      if (content !== '') stream.end(content);
    });
  const worker = async (): Promise<void> => {
    while (left-- > 0) {
      const ending = await request();
      endings[ending] = (endings[ending] ?? 0) + 1;
    }
  };
  await Promise.all(Array.from({ length: 100 }, worker));
  session.close();
  return endings;
}

describe('GOAWAY every 10 requests, with 100 requests at a time, fails not one of 2,000', () => {
  test.each([
    ['without content', ''],
    ['with content, as every gRPC call has', 'x'.repeat(300)],
  ])('%s', async (_what, content) => {
    server = new ScriptedServer({
      onRequest: (connection, streamId) => {
        const number = connection.requests.length;
        if (number > 10) return;
        connection.answer(streamId);
        if (number === 10) connection.goaway(streamId);
      },
    });
    sidecar = await startSidecar({ argv: ['--app', await server.listen()] });
    expect(await load(2000, content)).toEqual({ 200: 2000 });
    expect(server.connections.length).toBeGreaterThanOrEqual(200);
  });
});
