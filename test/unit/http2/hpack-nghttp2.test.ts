/** HPACK against nghttp2, Node's own: a relay between its client and its server recodes every header block. */
import { once } from 'node:events';
import http2 from 'node:http2';
import net from 'node:net';
import { expect, it } from 'vitest';
import { HpackDecoder } from '../../../sidecar/http2/hpack/decoder.ts';
import { HpackEncoder } from '../../../sidecar/http2/hpack/encoder.ts';
import type { HeaderList } from '../../../sidecar/http2/hpack/field.ts';

const prefaceBytes = 24;
const headersType = 1;
const endHeaders = 0x4;
const priority = 0x20;

function portOf(server: { address(): net.AddressInfo | string | null }): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('not listening on TCP');
  return address.port;
}

/** Copies frames from one socket to the other, header blocks through our decoder and encoder. */
function recode(from: net.Socket, to: net.Socket, skipBytes: number, seen: HeaderList[]): void {
  const decoder = new HpackDecoder();
  const encoder = new HpackEncoder();
  let input = Buffer.alloc(0);
  let skip = skipBytes;
  from.on('data', (chunk: Buffer) => {
    input = Buffer.concat([input, chunk]);
    if (input.length < skip) return;
    to.write(input.subarray(0, skip));
    input = input.subarray(skip);
    skip = 0;
    while (input.length >= 9 && input.length >= 9 + input.readUIntBE(0, 3)) {
      const frame = input.subarray(0, 9 + input.readUIntBE(0, 3));
      input = input.subarray(frame.length);
      if (frame[3] !== headersType) {
        to.write(frame);
        continue;
      }
      const flags = frame[4]!;
      expect(flags & endHeaders).toBe(endHeaders);
      const list = decoder.decode(frame, (flags & priority) !== 0 ? 14 : 9, frame.length);
      expect(decoder.error).toBe('');
      if (list === null) return from.destroy();
      seen.push(list);
      const out = Buffer.alloc(9 + encoder.boundBytes(list));
      const end = encoder.encode(list, out, 9);
      frame.copy(out, 3, 3, 9);
      out[4] = flags & ~priority;
      out.writeUIntBE(end - 9, 0, 3);
      to.write(out.subarray(0, end));
    }
  });
  from.on('error', () => to.destroy());
  from.on('close', () => to.destroy());
}

it('HPACK understands nghttp2, and nghttp2 understands ours, over many requests on one connection', async () => {
  const server = http2.createServer();
  server.on('stream', (stream, headers) => {
    stream.respond(
      { ':status': 200, 'x-echo': JSON.stringify(headers), server: 'node', 'set-cookie': ['a=b', 'c=d'] },
      { waitForTrailers: true },
    );
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0', 'grpc-message': 'caf%C3%A9' }));
    stream.end('body');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  const requests: HeaderList[] = [];
  const responses: HeaderList[] = [];
  const relay = net.createServer((downstream) => {
    const upstream = net.connect(portOf(server), '127.0.0.1');
    recode(downstream, upstream, prefaceBytes, requests);
    recode(upstream, downstream, 0, responses);
  });
  relay.listen(0, '127.0.0.1');
  await once(relay, 'listening');
  const client = http2.connect(`http://127.0.0.1:${portOf(relay)}`);
  try {
    for (let i = 0; i < 60; i++) {
      const sent: Record<string, string> = {
        ':method': 'POST',
        ':path': i % 3 === 0 ? '/shop.Payments/Authorize' : `/orders/${i}?q=%E4`,
        'content-type': 'application/grpc',
        te: 'trailers',
        traceparent: `00-${String(i).padStart(32, '0')}-00f067aa0ba902b7-01`,
        'grpc-timeout': `${i}m`,
        authorization: `Bearer ${i}`,
        'x-bytes': `\xe4\xff ${'long '.repeat(i * 4)}end`,
      };
      const stream = client.request(sent);
      stream.end();
      let trailers: http2.IncomingHttpHeaders = {};
      stream.on('trailers', (fields) => {
        trailers = fields;
      });
      stream.resume();
      const [headers] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders];
      await once(stream, 'end');
      expect(JSON.parse(String(headers['x-echo']))).toMatchObject(sent);
      expect(headers['set-cookie']).toEqual(['a=b', 'c=d']);
      expect(trailers).toMatchObject({ 'grpc-status': '0', 'grpc-message': 'caf%C3%A9' });
    }
    expect(requests.map((list) => list.requestError)).toEqual(new Array(60).fill(0));
    expect(requests.every((list) => list.isGrpc && list.teTrailers)).toBe(true);
    expect(responses.map((list) => list.responseError * list.trailersError)).toEqual(new Array(120).fill(0));
    expect(responses[1]?.grpcStatus).toBe('0');
  } finally {
    client.destroy();
    relay.close();
    server.close();
  }
});
