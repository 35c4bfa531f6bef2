/**
 * Header lists in HTTP/1.1's form: the framing is always said and always right, and whatever list the engine lets
 * through, node takes without throwing; an exception there would end the process.
 */
import http from 'node:http';
import net from 'node:net';
import { Duplex } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { XorShift32 } from '../../../proto/kernel/random.ts';
import { HeaderList } from '../../../sidecar/http2/hpack/field.ts';
import { defaultLimits } from '../../../sidecar/http2/limits.ts';
import { requestFields, responseFields, responseHead } from '../../../sidecar/io/http1-headers.ts';
import { namesMax, wireName } from '../../../sidecar/io/http1-names.ts';

const request = (method: string, more: [string, string][] = []): HeaderList =>
  HeaderList.of([[':method', method], [':scheme', 'http'], [':authority', 'a'], [':path', '/'], ...more]);

/** The fields that frame a message, as `name: value`. */
function framing(raw: readonly string[]): string[] {
  const found: string[] = [];
  for (let i = 0; i < raw.length; i += 2) {
    if (raw[i] === 'content-length' || raw[i] === 'transfer-encoding') found.push(`${raw[i]}: ${raw[i + 1]}`);
  }
  return found;
}

describe('requestFields', () => {
  test.each<[string, boolean, [string, string][], string[]]>([
    ['GET', true, [], []],
    ['GET', false, [], ['transfer-encoding: chunked']],
    ['GET', false, [['content-length', '3']], ['content-length: 3']],
    ['POST', true, [], ['content-length: 0']],
    ['POST', true, [['content-length', '0']], ['content-length: 0']],
    ['POST', false, [['content-length', '003']], ['content-length: 3']],
    ['PURGE', true, [], ['content-length: 0']],
    ['DELETE', false, [], ['transfer-encoding: chunked']],
  ])('%s, ended %s, with %j is framed by %j', (method, endStream, more, expected) => {
    expect(framing(requestFields(request(method, more), endStream))).toEqual(expected);
  });

  test('puts Host first, joins cookies, keeps what belongs to the hop away', () => {
    const list = request('GET', [
      ['cookie', 'a=1'],
      ['x', 'y'],
      ['cookie', 'b=2'],
      ['te', 'trailers'],
    ]);
    const raw = requestFields(list, true);
    expect(raw).toEqual(['host', 'a', 'x', 'y', 'cookie', 'a=1; b=2', 'te', 'trailers', 'connection', 'TE']);
  });
});

describe('responseHead', () => {
  test('takes the length from a 204, and the connection-specific fields from all', () => {
    const raw = ['Content-Length', '5', 'Connection', 'close, X-Hop', 'X-Hop', '1', 'X', 'y', 'Upgrade', 'h2c'];
    const head = responseHead(204, '1.1', raw, defaultLimits);
    expect(head?.fields.map(({ name, value }) => `${name}: ${value}`)).toEqual([':status: 204', 'x: y']);
  });
});

describe('wireName', () => {
  test('remembers no more names than its bound', () => {
    for (let i = 0; i < namesMax * 3; i++) expect(wireName(`X-${i}`).name).toBe(`x-${i}`);
    expect(wireName('HOST')).toEqual({ name: 'host', id: expect.any(Number), scope: 2 });
  });
});

describe('node throws at no list that passed our checks', () => {
  const random = new XorShift32(7);
  const below = (bound: number): number => Math.floor(random.next() * bound);
  const one = <T>(choices: readonly T[]): T => choices[below(choices.length)]!;
  const names = ['trailer', 'expect', 'date', 'keep-alive', 'x', 'content-length', 'te', 'cookie', 'content-type'];
  const values = ['', 'trailers', '100-continue', '0', '5', 'x', '\xe9', 'application/grpc', 'close', '"', 'a,b'];

  function more(): [string, string][] {
    return Array.from({ length: below(5) }, () => [one(names), one(values)]);
  }

  test('as requests', () => {
    let count = 0;
    for (let i = 0; i < 2000; i++) {
      const list = request(one(['GET', 'POST', 'HEAD', 'DELETE', 'FOO', 'OPTIONS', 'TRACE']), more());
      if (list.requestError !== 0) continue;
      count++;
      const endStream = random.next() < 0.5 && list.contentLength <= 0;
      const sent = http.request({
        createConnection: () => new Duplex({ read() {}, write: (_bytes, _encoding, done) => done() }),
        method: list.method,
        path: list.path,
        headers: requestFields(list, endStream),
        setHost: false,
      });
      sent.on('error', () => {});
      if (!endStream) sent.write('x');
      sent.end();
      sent.destroy();
    }
    expect(count).toBeGreaterThan(500);
  });

  test('as responses', () => {
    let count = 0;
    for (let i = 0; i < 2000; i++) {
      const status = one([200, 204, 206, 304, 404, 500, 999]);
      const list = HeaderList.of([[':status', String(status)], ...more()]);
      if (list.responseError !== 0) continue;
      count++;
      const asked = new http.IncomingMessage(new net.Socket());
      asked.httpVersionMajor = 1;
      asked.httpVersionMinor = one([0, 1]);
      asked.method = one(['GET', 'HEAD']);
      const response = new http.ServerResponse(asked);
      const canChunk = asked.httpVersionMinor === 1 && asked.method !== 'HEAD';
      response.writeHead(list.status, responseFields(list, canChunk));
      if (random.next() < 0.5) response.write('x');
      response.addTrailers([['x', 'y']]);
      response.end();
    }
    expect(count).toBeGreaterThan(500);
  });
});
