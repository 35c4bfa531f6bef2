/**
 * The way of bytes through a real listener: sniffing, HTTP/1.1, the hand-over to HTTP/2. An input is a byte that says how
 * it is cut, then what a client writes before it closes its side. Behind the proxy stands an app that reads HTTP/1.1 as
 * strictly as can be: whatever came in, what arrives there must be beyond any doubt, for where two readers can disagree,
 * requests are smuggled. And every connection must come to its end.
 */
import { connect, type Socket } from 'node:net';
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import type { Random } from '../../proto/kernel/random.ts';
import { prefaceText } from '../../sidecar/http2/constants.ts';
import { type RunningSidecar, startSidecar } from '../support/sidecar.ts';
import { byteParts, mutateBytes, pick, pickOf } from './mutate.ts';
import { StrictApp } from './strict-app.ts';
import { type Features, inputBytesMax, type Target } from './target.ts';

/** A connection whose client has closed its side must be over by then. */
const endMs = 8_000;
/** What has not come by then is not waited for: this shapes what is found, and never whether it is right. */
const quietMs = 4;
const responseBytesMax = 4 << 20;

const tokens = [
  'GET / HTTP/1.1\r\nhost: a\r\n\r\n',
  'POST / HTTP/1.1\r\nhost: a\r\n',
  'HEAD / HTTP/1.1\r\nhost: a\r\n\r\n',
  'OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n',
  'CONNECT a:1 HTTP/1.1\r\nhost: a:1\r\n\r\n',
  'GET http://a/ HTTP/1.1\r\n',
  'HTTP/1.0\r\n',
  'content-length: 5\r\n',
  'content-length: 0\r\n',
  'content-length: 5, 5\r\n',
  'content-length: +5\r\n',
  'Content-Length : 5\r\n',
  'transfer-encoding: chunked\r\n',
  'transfer-encoding: identity\r\n',
  'transfer-encoding: chunked, identity\r\n',
  'transfer-encoding:\tchunked\r\n',
  'Transfer-Encoding: xchunked\r\n',
  'transfer-encoding: gzip, chunked\r\n',
  'expect: 100-continue\r\n',
  'connection: close\r\n',
  'connection: keep-alive, content-length\r\n',
  'connection: upgrade\r\nupgrade: websocket\r\n',
  'upgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n',
  'te: trailers\r\n',
  'trailer: x-end\r\n',
  'host: b\r\n',
  'x-a: b\r\n c\r\n',
  'x-nul: \0\r\n',
  '\r\n',
  '\n',
  '\r',
  '\r\n\r\n',
  '5\r\nhello\r\n',
  '0\r\n\r\n',
  '0\r\nx-end: 1\r\n\r\n',
  '5;ext=1\r\nhello\r\n',
  '5 \r\nhello\r\n',
  'ffffffffffffffff\r\n',
  '-1\r\n',
  'hello',
  'GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n',
  prefaceText,
  prefaceText.slice(0, 10),
  'PRI * HTTP/2.0\r\n\r\n',
  '\0\0\0\x04\0\0\0\0\0',
  '\0\0\x06\x01\x05\0\0\0\x01\x82\x86\x84\x41\x01\x61',
].map((text) => Buffer.from(text, 'latin1'));

export class Http1Target implements Target {
  readonly name = 'http1';
  private app: StrictApp | null = null;
  private sidecar: RunningSidecar | null = null;

  seeds(): Buffer[] {
    const of = (text: string): Buffer => Buffer.concat([Buffer.from([0]), Buffer.from(text, 'latin1')]);
    return [
      of('GET / HTTP/1.1\r\nhost: a\r\n\r\n'),
      of('POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello'),
      of('POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n'),
      of(
        'POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n',
      ),
      of(`${prefaceText}\0\0\0\x04\0\0\0\0\0\0\0\x06\x01\x05\0\0\0\x01\x82\x86\x84\x41\x01\x61`),
      of(prefaceText.slice(0, 12)),
      of('GET / HTTP/1.1\r\nhost: a\r\n\r\nGET /2 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n'),
    ];
  }

  async run(input: Buffer, features: Features): Promise<void> {
    const { app, address } = await this.started();
    app.begin();
    const response = await exchange(address, input, features);
    if (app.violation !== '') throw new Error(`the app was sent ${app.violation}`);
    features.add(`app ${app.requests.join(' ').slice(0, 200)}`);
    if (response.length === 0) return features.add('silence');
    const text = response.toString('latin1');
    if (text.startsWith('HTTP/1.1 ')) {
      for (const [, status] of text.matchAll(/HTTP\/1\.1 (\d{3}) /g)) features.add(`status ${status}`);
      for (const [, name] of text.matchAll(/\n([a-z-]+): /g)) features.add(`field ${name}`);
      features.add(`ends ${text.slice(-40).replace(/\d+/g, 'n')}`);
    } else if (text.startsWith('\0\0')) features.add(`http2 ${response.length > 100}`);
    else throw new Error(`an answer that is neither HTTP/1.1 nor HTTP/2: ${JSON.stringify(text.slice(0, 40))}`);
  }

  mutate(input: Buffer, other: Buffer, random: Random): Buffer {
    const isComposed = pick(random, 2) === 0;
    let bytes: Buffer = isComposed ? composed(input[0] ?? 0, random) : Buffer.from(input);
    for (let changes = isComposed ? pick(random, 2) : pick(random, 4); changes > 0; changes--) {
      const at = placeIn(bytes, random);
      const token = pickOf(random, tokens);
      const removed = pick(random, 3) === 0 ? pick(random, 20) : 0;
      bytes = Buffer.concat([bytes.subarray(0, at), token, bytes.subarray(at + removed)]);
    }
    if (pick(random, 4) === 0) bytes = mutateBytes(bytes, other, random);
    if (pick(random, 8) === 0 && bytes.length > 0) bytes[0] = pick(random, 256);
    return bytes.subarray(0, inputBytesMax);
  }

  parts(input: Buffer): [number, number][] {
    return byteParts(input.length, 1);
  }

  async close(): Promise<void> {
    await this.sidecar?.stop();
    await this.app?.stop();
  }

  private async started(): Promise<{ app: StrictApp; address: string }> {
    if (this.app !== null && this.sidecar !== null) return { app: this.app, address: this.sidecar.inbound };
    this.app = new StrictApp();
    const address = await this.app.listen();
    this.sidecar = await startSidecar({ argv: ['--app', address, '--app-protocol', 'http1'] });
    return { app: this.app, address: this.sidecar.inbound };
  }
}

const requestLines = [
  'GET / HTTP/1.1',
  'GET /a?b=%20c HTTP/1.1',
  'GET http://b/x HTTP/1.1',
  'POST /p HTTP/1.1',
  'PUT /p HTTP/1.0',
  'HEAD / HTTP/1.1',
  'OPTIONS * HTTP/1.1',
  'CONNECT a:1 HTTP/1.1',
  'GET  / HTTP/1.1',
  'get / HTTP/1.1',
  'GET /\t HTTP/1.1',
  'GET / HTTP/2.0',
];
const fieldLines = tokens
  .map((token) => token.toString('latin1'))
  .filter((text) => /^[^\r\n]+:[^\r\n]*(\r\n [^\r\n]*)?\r\n/.test(text));
const contents = [
  '',
  '',
  'hello',
  '5\r\nhello\r\n0\r\n\r\n',
  '0\r\n\r\n',
  '0\r\nx-end: 1\r\n\r\n',
  '5;a=b\r\nhello\r\n0\r\n\r\n',
];

/** One to three requests that are nearly right. */
function composed(first: number, random: Random): Buffer {
  let text = '';
  for (let requests = 1 + pick(random, 3); requests > 0; requests--) {
    text += `${pickOf(random, requestLines)}\r\n${pick(random, 8) > 0 ? 'host: a\r\n' : ''}`;
    for (let fields = pick(random, 4); fields > 0; fields--) text += pickOf(random, fieldLines);
    text += `\r\n${pickOf(random, contents)}`;
  }
  return Buffer.concat([Buffer.from([first]), Buffer.from(text, 'latin1')]);
}

/** Line ends are where it matters. */
function placeIn(bytes: Buffer, random: Random): number {
  const near = bytes.indexOf('\r\n', pick(random, bytes.length + 1), 'latin1');
  const isNear = near >= 0 && pick(random, 3) > 0;
  return isNear ? near + 2 * pick(random, 2) : Math.max(1, pick(random, bytes.length + 1));
}

/** Writes the input in up to three pieces, closes its side, and waits for the end. */
async function exchange(address: string, input: Buffer, features: Features): Promise<Buffer> {
  const port = Number(address.slice(address.lastIndexOf(':') + 1));
  const socket: Socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true, noDelay: true });
  const parts: Buffer[] = [];
  let bytes = 0;
  let failure = '';
  socket.on('data', (part) => {
    bytes += part.length;
    if (bytes <= responseBytesMax) parts.push(part);
  });
  socket.on('error', (error: NodeJS.ErrnoException) => features.add(`socket ${error.code}`));
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  const timer = setTimeout(() => {
    failure = `a connection that is not over ${endMs} ms after its client closed`;
    socket.destroy();
  }, endMs);
  // The proxy has said all; nobody waits for a client that goes on.
  socket.once('end', () => socket.end());
  const content = input.subarray(1);
  const cuts = [(input[0] ?? 0) & 15, (input[0] ?? 0) >> 4].map((share) => Math.floor((content.length * share) / 16));
  let from = 0;
  for (const cut of [...cuts.sort((a, b) => a - b), content.length]) {
    if (cut > from && !socket.destroyed) socket.write(content.subarray(from, cut));
    from = Math.max(from, cut);
    await nextTurn();
  }
  // Some clients close their side at once; the others wait for what comes, as long as something comes.
  if (((input[0] ?? 0) & 3) !== 3) {
    for (let before = -1; bytes !== before && !socket.destroyed; ) {
      before = bytes;
      await Promise.race([closed, delay(quietMs)]);
    }
  }
  socket.end();
  await closed;
  clearTimeout(timer);
  if (bytes > responseBytesMax) failure = `${bytes} bytes for ${input.length}`;
  if (failure !== '') throw new Error(failure);
  return Buffer.concat(parts);
}
