/**
 * Requests that two readers would read differently, sent over a raw socket: each is refused, with what the attacker got
 * and with what reached the app, which is nothing. The first part is node's parser's work and is here to stay true with
 * every version of node; the second is what that parser lets through.
 */
import http2 from 'node:http2';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { RawApp, RawClient, statusLines } from '../support/http1-wire.ts';
import { type RunningSidecar, startSidecar } from '../support/sidecar.ts';
import { until } from '../support/until.ts';

let app: RawApp;
let sidecar: RunningSidecar;
let client: RawClient;

beforeAll(async () => {
  app = await new RawApp().listen();
  sidecar = await startSidecar({ argv: ['--app', app.address, '--app-protocol', 'http1'] });
});

beforeEach(() => {
  app.forget();
  app.answers('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  client = new RawClient(sidecar.inbound);
});

afterEach(() => {
  client.destroy();
});

afterAll(async () => {
  await sidecar.stop();
  app.close();
});

const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n';
const post = (fields: string, content: string): string =>
  `POST / HTTP/1.1\r\nHost: a\r\n${fields}\r\n${content}${smuggled}`;
const chunked = (content: string): string => post('Transfer-Encoding: chunked\r\n', content);
const get = (fields: string): string => `GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;

/** Refused while the head was read, so that the app never heard of it. */
const refusedHeads: Record<string, string> = {
  'CL and TE': post('Content-Length: 6\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'),
  'TE and CL': post('Transfer-Encoding: chunked\r\nContent-Length: 6\r\n', '0\r\n\r\n'),
  'TE of another coding': post('Transfer-Encoding: xchunked\r\n', '0\r\n\r\n'),
  'TE that ends in another coding': post('Transfer-Encoding: chunked, identity\r\n', '0\r\n\r\n'),
  'TE twice': post('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'),
  'TE with a vertical tab': post('Transfer-Encoding: \x0bchunked\r\n', '0\r\n\r\n'),
  'TE in quotes': post('Transfer-Encoding: "chunked"\r\n', '0\r\n\r\n'),
  'TE with a parameter': post('Transfer-Encoding: chunked;a=b\r\n', '0\r\n\r\n'),
  'TE with a space before its colon': post('Transfer-Encoding : chunked\r\n', '0\r\n\r\n'),
  'TE on a folded line': post('Transfer-Encoding:\r\n chunked\r\n', '0\r\n\r\n'),
  'TE after a coding that we do not know': post('Transfer-Encoding: gzip, chunked\r\n', '0\r\n\r\n'),
  'TE on two lines': post('Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'),
  'TE without a value': post('Transfer-Encoding:\r\nContent-Length: 0\r\n', ''),
  'TE in HTTP/1.0': `POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
  'two lengths that agree': post('Content-Length: 3\r\nContent-Length: 3\r\n', 'abc'),
  'two lengths that differ': post('Content-Length: 3\r\nContent-Length: 0\r\n', 'abc'),
  'a list of lengths': post('Content-Length: 3, 3\r\n', 'abc'),
  'a length with a sign': post('Content-Length: +3\r\n', 'abc'),
  'a length in hexadecimal': post('Content-Length: 0x3\r\n', 'abc'),
  'a length with a space inside': post('Content-Length: 3 3\r\n', 'abc'),
  'a length without digits': post('Content-Length:\r\n', 'abc'),
  'a length beyond counting': post('Content-Length: 9007199254740993\r\n', 'abc'),
  'a folded line': get('X: a\r\n b\r\n'),
  'a lone LF after the request line': 'GET / HTTP/1.1\nHost: a\r\n\r\n',
  'a lone LF after a field': get('X: a\nY: b\r\n'),
  'a lone LF at the end of the head': 'GET / HTTP/1.1\r\nHost: a\r\n\n',
  'a lone CR in a value': get('X: a\rTransfer-Encoding: chunked\r\n'),
  'a space before the colon': get('X : a\r\n'),
  'a tab before the colon': get('X\t: a\r\n'),
  'NUL in a name': get('X\0: a\r\n'),
  'NUL in a value': get('X: a\0b\r\n'),
  'DEL in a value': get('X: a\x7fb\r\n'),
  'a parenthesis in a name': get('X(: a\r\n'),
  'an octet beyond ASCII in a name': get('X\xe9: a\r\n'),
  'no name': get(': a\r\n'),
  'no colon': get('foo\r\n'),
  'a pseudo-header field': get(':path: /other\r\n'),
  'space before the first field': 'GET / HTTP/1.1\r\n Host: a\r\n\r\n',
  'a target with a space': 'GET /a b HTTP/1.1\r\nHost: a\r\n\r\n',
  'a target with a control character': 'GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n',
  'a target with an octet beyond ASCII': 'GET /\xe9 HTTP/1.1\r\nHost: a\r\n\r\n',
  'a target with a fragment': 'GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n',
  'a target without a slash': 'GET a HTTP/1.1\r\nHost: a\r\n\r\n',
  'an asterisk for GET': 'GET * HTTP/1.1\r\nHost: a\r\n\r\n',
  'a method in small letters': 'get / HTTP/1.1\r\nHost: a\r\n\r\n',
  'a method nobody knows': 'FOO / HTTP/1.1\r\nHost: a\r\n\r\n',
  'HTTP/1.2': 'GET / HTTP/1.2\r\nHost: a\r\n\r\n',
  'HTTP/2.0 without being it': 'GET / HTTP/2.0\r\nHost: a\r\n\r\n',
  'HTTP/0.9 with a version': 'GET / HTTP/0.9\r\nHost: a\r\n\r\n',
  'no Host': 'GET / HTTP/1.1\r\n\r\n',
  'an empty Host': 'GET / HTTP/1.1\r\nHost:\r\n\r\n',
  'two Hosts': 'GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n',
  'a Host that is none': 'GET / HTTP/1.1\r\nHost: a/b?c\r\n\r\n',
  'a target and a Host that differ': 'GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n',
  'a target with a user': 'GET http://u@a/ HTTP/1.1\r\nHost: u@a\r\n\r\n',
};

describe('a head is refused, and the connection ends', () => {
  test.each(Object.entries(refusedHeads))('%s', async (_name, text) => {
    client.send(text);
    const answer = await client.readsAll();
    expect(statusLines(answer)).toEqual(['400']);
    expect(answer).toContain('weir-reason: bad_request\r\n');
    expect(answer).toMatch(/connection: close\r\n/i);
    expect(app.received).toBe('');
  });
});

/** The head is in order, so the app may have it; but it never sees the end of such content, nor what stands behind it. */
const refusedContents: Record<string, string> = {
  'a lone LF after a chunk size': chunked('3\nabc\r\n0\r\n\r\n'),
  'a lone LF after a chunk': chunked('3\r\nabc\n0\r\n\r\n'),
  'a lone LF after the last chunk': chunked('3\r\nabc\r\n0\n\n'),
  'a chunk size with 0x': chunked('0x3\r\nabc\r\n0\r\n\r\n'),
  'a negative chunk size': chunked('-3\r\nabc\r\n0\r\n\r\n'),
  'a chunk size with a space before it': chunked(' 3\r\nabc\r\n0\r\n\r\n'),
  'a chunk size with a space after it': chunked('3 \r\nabc\r\n0\r\n\r\n'),
  'a chunk size beyond counting': chunked('10000000000000003\r\nabc\r\n0\r\n\r\n'),
  'no chunk size': chunked('\r\nabc\r\n0\r\n\r\n'),
  'a chunk longer than it says': chunked('3\r\nabcd\r\n0\r\n\r\n'),
  'a chunk extension with a lone LF': chunked('3;a\nabc\r\n0\r\n\r\n'),
  'a chunk extension with a lone CR': chunked('3;\rxx\r\nabc\r\n0\r\n\r\n'),
  'a flood of chunk extensions': chunked(`3;${'a'.repeat(100_000)}\r\nabc\r\n0\r\n\r\n`),
  'a length among the trailers': chunked('0\r\nContent-Length: 5\r\n\r\n'),
  'more trailers than a head may have fields': chunked(`0\r\n${'X: y\r\n'.repeat(300)}\r\n`),
  'a transfer coding among the trailers': chunked('0\r\nTransfer-Encoding: chunked\r\n\r\n'),
};

describe('content is refused, and the app never sees its end', () => {
  test.each(Object.entries(refusedContents))('%s', async (_name, text) => {
    client.send(text);
    const answer = await client.readsAll();
    // What is too much rather than wrong is 431 to some versions of node.
    expect(statusLines(answer).filter((status) => status !== '400' && status !== '431')).toEqual([]);
    await until(() => app.hasBrokenOff, { what: "the app's connection breaks off" });
    expect(app.received).not.toMatch(/\r\n0\r\n/);
    expect(app.received).not.toContain('/smuggled');
  });
});

test('a refused head is counted', async () => {
  const count = async (): Promise<number> => {
    const metrics = await (await fetch(`http://${sidecar.metrics}/metrics`)).text();
    const line = /weir_requests_rejected_total\{[^}]*reason="bad_request"\} (\d+)/.exec(metrics);
    return Number(line?.[1] ?? 0);
  };
  const before = await count();
  client.send('GET / HTTP/1.1\r\n\r\n');
  await client.readsAll();
  expect(await count()).toBe(before + 1);
});

test('a length in Connection does not take the length away', async () => {
  app.onData = ({ socket, received }) => {
    if (received.endsWith('abc')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  };
  client.send('POST / HTTP/1.1\r\nHost: a\r\nConnection: content-length\r\nContent-Length: 3\r\n\r\nabc');
  await client.reads('\r\n\r\nok');
  expect(app.received).toContain('content-length: 3\r\n');
});

describe('from HTTP/2, to an app that speaks HTTP/1.1', () => {
  let session: http2.ClientHttp2Session;

  beforeEach(() => {
    session = http2.connect(`http://${sidecar.inbound}`);
  });

  afterEach(() => {
    session.destroy();
  });

  test('a GET with content is framed, and its content is no request of its own', async () => {
    app.onData = ({ socket, received }) => {
      if (received.endsWith('0\r\n\r\n')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    };
    const stream = session.request({ ':path': '/', ':method': 'GET' }, { endStream: false });
    stream.end(smuggled);
    let status = 0;
    stream.on('response', (headers) => {
      status = headers[':status'] ?? 0;
    });
    stream.resume();
    await until(() => status === 200, { what: 'an answer' });
    const length = smuggled.length.toString(16);
    expect(app.received).toContain(`transfer-encoding: chunked\r\n`);
    expect(app.received).toContain(`\r\n\r\n${length}\r\n${smuggled}\r\n0\r\n\r\n`);
  });

  test('cookie crumbs become one field', async () => {
    const stream = session.request({ ':path': '/', cookie: ['a=1', 'b=2'] });
    stream.resume();
    await until(() => app.received.includes('\r\n\r\n'), { what: 'the request arrives' });
    expect(app.received.match(/^cookie: .*$/gm)).toEqual(['cookie: a=1; b=2']);
  });
});
