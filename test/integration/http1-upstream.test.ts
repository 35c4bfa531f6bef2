/**
 * What an HTTP/1.1 app may do to its callers: answers that are cut off, ambiguous or not asked for, connections that
 * close in the wrong moment. Nothing of it may look like a good answer, and nothing may reach the next caller.
 */
import http2 from 'node:http2';
import { beforeEach, describe, expect, test } from 'vitest';
import { http1Rig, okAnswer } from '../support/http1-rig.ts';
import { statusLines } from '../support/http1-wire.ts';
import { until } from '../support/until.ts';

const rig = http1Rig(['--app-protocol', 'http1']);

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;

/** Answers each request with this text, then ends or breaks off the connection. */
function answersThen(text: string, end: 'end' | 'reset'): void {
  rig.app.onData = ({ socket }) => {
    socket.write(Buffer.from(text, 'latin1'), () => {
      if (end === 'end') socket.end();
      else setTimeout(() => socket.resetAndDestroy(), 20);
    });
  };
}

describe('a truncated answer never ends cleanly', () => {
  test('shorter than its length', async () => {
    answersThen('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc', 'end');
    rig.client.send(get('/'));
    expect(await rig.client.readsAll()).toMatch(/content-length: 10\r\n[\s\S]*\r\n\r\nabc$/);
  });

  test('without its last chunk', async () => {
    answersThen('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n', 'end');
    rig.client.send(get('/'));
    expect(await rig.client.readsAll()).toMatch(/3\r\nabc\r\n$/);
  });

  test('without its last chunk, to an HTTP/1.0 caller whose answer only its connection ends: a reset', async () => {
    answersThen('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n', 'end');
    rig.client.send('GET / HTTP/1.0\r\nHost: a\r\n\r\n');
    await rig.client.readsAll();
    expect(rig.client.error).toBe('ECONNRESET');
  });

  test('without a length, broken off by a reset', async () => {
    answersThen('HTTP/1.1 200 OK\r\n\r\nabc', 'reset');
    rig.client.send(get('/'));
    expect(await rig.client.readsAll()).toMatch(/3\r\nabc\r\n$/);
  });

  test('to an HTTP/2 caller: a stream error', async () => {
    answersThen('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc', 'end');
    const session = http2.connect(`http://${rig.sidecar.inbound}`);
    const stream = session.request({ ':path': '/' });
    let error = '';
    stream.on('error', (failure) => {
      error = failure.message;
    });
    stream.resume();
    await until(() => error, { what: 'the stream breaks off' });
    session.destroy();
  });
});

test('an answer without a length ends with its connection, and reaches the caller whole', async () => {
  answersThen('HTTP/1.1 200 OK\r\n\r\nall of it', 'end');
  rig.client.send(get('/'));
  expect(await rig.client.reads('0\r\n\r\n')).toMatch(/9\r\nall of it\r\n0\r\n\r\n$/);
});

/** The head of an answer that two readers would read differently, or that is none. */
const refusedAnswers: Record<string, string> = {
  'CL and TE': 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
  'TE of another coding': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
  'TE after another coding': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
  'TE without a value': 'HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\nContent-Length: 3\r\n\r\nabc',
  'TE in HTTP/1.0': 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
  'two lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd',
  'a negative length': 'HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\nabc',
  'a folded line': 'HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nok',
  'a lone LF': 'HTTP/1.1 200 OK\r\nX: a\nSet-Cookie: evil\r\nContent-Length: 2\r\n\r\nok',
  'a lone CR': 'HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: evil\r\nContent-Length: 2\r\n\r\nok',
  'NUL in a value': 'HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 2\r\n\r\nok',
  'a space before a colon': 'HTTP/1.1 200 OK\r\nX : a\r\nContent-Length: 2\r\n\r\nok',
  'a status of two digits': 'HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nok',
  'a status below 100': 'HTTP/1.1 099 No\r\nContent-Length: 2\r\n\r\nok',
  'HTTP/2.0': 'HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok',
  'no HTTP at all': 'hello\r\n\r\n',
  'a 101 without an upgrade': `HTTP/1.1 101 Switching Protocols\r\n\r\n${okAnswer}`,
  'too many fields': `HTTP/1.1 200 OK\r\n${'X: y\r\n'.repeat(257)}Content-Length: 2\r\n\r\nok`,
  'fields that are too long': `HTTP/1.1 200 OK\r\nX: ${'y'.repeat(70_000)}\r\nContent-Length: 2\r\n\r\nok`,
};

describe('an answer is refused', () => {
  test.each(Object.entries(refusedAnswers))('%s', async (_name, text) => {
    rig.app.answers(text);
    rig.client.send(get('/'));
    const answer = await rig.client.reads('weir-reason: ');
    expect(statusLines(answer)).toEqual(['502']);
    expect(answer).toContain('weir-reason: upstream_protocol\r\n');
    expect(answer).not.toContain('evil');
  });
});

test('what follows an answer in the same packet answers nobody', async () => {
  rig.app.answers(`${okAnswer}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil`);
  rig.client.send(get('/1'));
  await rig.client.reads('\r\n\r\nok');
  rig.app.answers(okAnswer);
  rig.client.received = '';
  rig.client.send(get('/2'));
  expect(await rig.client.reads('\r\n\r\nok')).not.toContain('evil');
});

test('what comes on an idle connection answers nobody', async () => {
  rig.app.answers(okAnswer);
  rig.client.send(get('/1'));
  await rig.client.reads('\r\n\r\nok');
  const first = rig.app.connections[0]!;
  first.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil');
  await until(() => first.isEnded, { what: 'the connection is given up' });
  rig.client.received = '';
  rig.client.send(get('/2'));
  expect(await rig.client.reads('\r\n\r\nok')).not.toContain('evil');
  expect(rig.app.connections).toHaveLength(2);
});

test('content behind a 204 answers nobody, and the 204 has no length', async () => {
  rig.app.answers('HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\nevil');
  rig.client.send(get('/1'));
  expect(await rig.client.reads('\r\n\r\n')).not.toMatch(/content-length/i);
  rig.app.answers(okAnswer);
  rig.client.received = '';
  rig.client.send(get('/2'));
  expect(await rig.client.reads('\r\n\r\nok')).not.toContain('evil');
});

test('"Connection: close" of the app ends its connection, not the caller\'s', async () => {
  rig.app.answers('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok');
  for (const path of ['/1', '/2']) {
    rig.client.received = '';
    rig.client.send(get(path));
    await rig.client.reads('\r\n\r\nok');
  }
  expect(rig.app.connections).toHaveLength(2);
  expect(rig.client.isClosed).toBe(false);
});

test('a connection that the app announces to close within the second is not kept', async () => {
  rig.app.answers('HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 2\r\n\r\nok');
  for (const path of ['/1', '/2']) {
    rig.client.received = '';
    rig.client.send(get(path));
    await rig.client.reads('\r\n\r\nok');
  }
  expect(rig.app.connections).toHaveLength(2);
});

describe('a kept connection that closes when the next request comes', () => {
  beforeEach(async () => {
    rig.app.answers(okAnswer);
    rig.client.send(get('/first'));
    await rig.client.reads('\r\n\r\nok');
    rig.client.received = '';
  });

  /** The kept connection breaks off at the next request; new ones answer. */
  function breaksOff(first: string): void {
    rig.app.onData = ({ socket, received }) => {
      if (!received.startsWith('GET /first')) socket.write(okAnswer);
      else if (first === '') socket.resetAndDestroy();
      else socket.write(first, () => socket.destroy());
    };
  }

  test('a GET goes out once more, and the caller notices nothing', async () => {
    breaksOff('');
    rig.client.send(get('/second'));
    expect(statusLines(await rig.client.reads('\r\n\r\nok'))).toEqual(['200']);
    expect(rig.app.received.match(/GET \/second/g)).toHaveLength(2);
  });

  test('a POST does not: the app may have done it', async () => {
    breaksOff('');
    rig.client.send('POST /second HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n');
    expect(statusLines(await rig.client.reads('weir-reason: upstream_reset'))).toEqual(['502']);
    expect(rig.app.received.match(/POST \/second/g)).toHaveLength(1);
  });

  test('a GET of which an answer began does not', async () => {
    breaksOff('HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n');
    rig.client.send(get('/second'));
    expect(statusLines(await rig.client.reads('weir-reason: upstream_reset'))).toEqual(['103', '502']);
    expect(rig.app.received.match(/GET \/second/g)).toHaveLength(1);
  });

  test('a GET goes out once more, not twice', async () => {
    rig.app.onData = ({ socket }) => socket.resetAndDestroy();
    rig.client.send(get('/second'));
    expect(statusLines(await rig.client.reads('weir-reason: upstream_reset'))).toEqual(['502']);
    expect(rig.app.received.match(/GET \/second/g)).toHaveLength(2);
  });
});

test('an answer that comes before the request is sent reaches the caller, and the rest of the request nobody', async () => {
  rig.app.onData = ({ socket, received }) => {
    if (received.includes('begin')) socket.write('HTTP/1.1 413 Too Much\r\nContent-Length: 3\r\n\r\nno!');
  };
  rig.client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\nbegin');
  await rig.client.reads('\r\n\r\nno!');
  await until(() => rig.app.connections[0]?.isEnded, { what: "the app's connection ends" });
  rig.client.send('x'.repeat(100_000));
  await rig.client.readsAll();
  expect(statusLines(rig.client.received)).toEqual(['413']);
  expect(rig.app.received).toMatch(/\r\n\r\nbegin$/);
});

test('no more requests are at the app at once than the endpoint may have sockets; the others wait their turn', async () => {
  let isOpen = false;
  const held: (() => void)[] = [];
  rig.app.onData = ({ socket }) => {
    const answer = (): void => void socket.write(okAnswer);
    if (isOpen) answer();
    else held.push(answer);
  };
  const sessions = [1, 2].map(() => http2.connect(`http://${rig.sidecar.inbound}`));
  let answered = 0;
  for (const session of sessions) {
    for (let i = 0; i < 150; i++) {
      const stream = session.request({ ':path': '/' });
      stream.on('response', () => answered++);
      stream.resume();
    }
  }
  await until(() => held.length === 256, { what: '256 requests reach the app' });
  expect(rig.app.connections).toHaveLength(256);
  isOpen = true;
  for (const answer of held) answer();
  await until(() => answered === 300, { what: 'all are answered' });
  expect(rig.app.connections).toHaveLength(256);
  for (const session of sessions) session.destroy();
});
