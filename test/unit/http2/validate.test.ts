/** What a list of fields may be (RFC 9113 §8). */
import { describe, expect, it } from 'vitest';
import { HeaderList } from '../../../sidecar/http2/hpack/field.ts';
import { describeFieldError, FieldError, parseContentLength } from '../../../sidecar/http2/validate.ts';

type Pair = readonly [string, string];
const get: readonly Pair[] = [
  [':method', 'GET'],
  [':scheme', 'http'],
  [':path', '/'],
  [':authority', 'shop'],
];
const without = (...names: string[]): Pair[] => get.filter(([name]) => !names.includes(name));
const but = (name: string, value: string): Pair[] => get.map((pair) => (pair[0] === name ? [name, value] : pair));
const nameOf = (code: number): string | undefined =>
  Object.entries(FieldError).find(([, value]) => value === code)?.[0];

function table(
  error: (list: HeaderList) => number,
  cases: [what: string, pairs: readonly Pair[], error: string][],
): void {
  for (const [what, pairs, expected] of cases) {
    it(`${what}: ${expected}`, () => {
      const code = error(HeaderList.of(pairs));
      expect(nameOf(code)).toBe(expected);
      expect(describeFieldError(code)).toMatch(code === 0 ? /^valid$/ : /RFC/);
    });
  }
}

describe('A request', () => {
  table(
    (list) => list.requestError,
    [
      ['the plain one', get, 'none'],
      ['with fields', [...get, ['te', 'trailers'], ['x', ' '.trim()], ['content-length', '0']], 'none'],
      ['uppercase name', [...get, ['X-A', 'b']], 'uppercaseName'],
      ['empty name', [...get, ['', 'b']], 'emptyName'],
      ['space in a name', [...get, ['a b', 'b']], 'badNameCharacter'],
      ['colon in a name', [...get, ['a:b', 'b']], 'badNameCharacter'],
      ['line feed in a value', [...get, ['a', 'b\nc: d']], 'badValueCharacter'],
      ['NUL in a value', [...get, ['a', '\0']], 'badValueCharacter'],
      ['tab in a value', [...get, ['a', 'b\tc']], 'none'],
      ['obs-text in a value', [...get, ['a', 'b\xffc']], 'none'],
      ['value ends with a space', [...get, ['a', 'b ']], 'valueWhitespace'],
      ['value begins with a tab', [...get, ['a', '\tb']], 'valueWhitespace'],
      ['connection', [...get, ['connection', 'close']], 'connectionSpecific'],
      ['transfer-encoding', [...get, ['transfer-encoding', 'chunked']], 'connectionSpecific'],
      ['proxy-connection', [...get, ['proxy-connection', 'keep-alive']], 'connectionSpecific'],
      ['keep-alive', [...get, ['keep-alive', '1']], 'connectionSpecific'],
      ['upgrade', [...get, ['upgrade', 'h2c']], 'connectionSpecific'],
      ['TE gzip', [...get, ['te', 'trailers, gzip']], 'badTe'],
      ['TE twice', [...get, ['te', 'trailers'], ['te', 'trailers']], 'duplicate'],
      ['unknown pseudo-header', [...get, [':test', 'a']], 'unknownPseudo'],
      ['pseudo-header at the end', [...without(':path'), ['a', 'b'], [':path', '/']], 'pseudoAfterRegular'],
      [':path twice', [...get, [':path', '/']], 'duplicate'],
      [':status', [[':status', '200'], ...get], 'pseudoNotAllowed'],
      ['no :method', without(':method'), 'missingMethod'],
      ['no :scheme', without(':scheme'), 'missingScheme'],
      ['no :path', without(':path'), 'missingPath'],
      ['empty :path', but(':path', ''), 'badPath'],
      [':path without a slash', but(':path', 'a'), 'badPath'],
      [':path with a space', but(':path', '/a b'), 'badPath'],
      ['GET *', but(':path', '*'), 'badPath'],
      [
        'OPTIONS *',
        [
          [':method', 'OPTIONS'],
          [':scheme', 'http'],
          [':path', '*'],
          [':authority', 'a'],
        ],
        'none',
      ],
      ['method with a space', but(':method', 'GET /'), 'badMethod'],
      ['empty method', but(':method', ''), 'badMethod'],
      ['scheme with a slash', but(':scheme', 'http://'), 'badScheme'],
      ['userinfo in :authority', but(':authority', 'me@shop'), 'badAuthority'],
      ['IPv6 :authority', but(':authority', '[::1]:80'), 'none'],
      ['no :authority, Host', [...without(':authority'), ['host', 'shop']], 'none'],
      ['neither', without(':authority'), 'missingAuthority'],
      ['Host that agrees', [...get, ['host', 'SHOP']], 'none'],
      ['Host with the default port', [...get, ['host', 'shop:80']], 'none'],
      ['Host with another port', [...get, ['host', 'shop:81']], 'hostMismatch'],
      ['Host with the port of the other scheme', [...get, ['host', 'shop:443']], 'hostMismatch'],
      ['empty Host beside :authority', [...get, ['host', '']], 'hostMismatch'],
      ['Host that does not', [...get, ['host', 'bank']], 'hostMismatch'],
      ['Host twice', [...get, ['host', 'shop'], ['host', 'shop']], 'duplicate'],
      ['content-length that is signed', [...get, ['content-length', '+1']], 'badContentLength'],
      ['content-length twice', [...get, ['content-length', '1'], ['content-length', '1']], 'duplicate'],
      [
        'CONNECT',
        [
          [':method', 'CONNECT'],
          [':authority', 'a:1'],
        ],
        'none',
      ],
      ['CONNECT with :path', but(':method', 'CONNECT'), 'connectRules'],
      ['CONNECT to nobody', [[':method', 'CONNECT']], 'connectRules'],
      ['extended CONNECT', [...but(':method', 'CONNECT'), [':protocol', 'websocket']], 'none'],
      [':protocol without CONNECT', [...get, [':protocol', 'websocket']], 'protocolWithoutConnect'],
    ],
  );
});

describe('A response', () => {
  table(
    (list) => list.responseError,
    [
      [
        'the plain one',
        [
          [':status', '200'],
          ['content-length', '5'],
        ],
        'none',
      ],
      ['no :status', [['a', 'b']], 'missingStatus'],
      ['101', [[':status', '101']], 'badStatus'],
      ['two digits', [[':status', '20']], 'badStatus'],
      [
        ':status twice',
        [
          [':status', '200'],
          [':status', '200'],
        ],
        'duplicate',
      ],
      [
        ':path',
        [
          [':status', '200'],
          [':path', '/'],
        ],
        'pseudoNotAllowed',
      ],
      [
        'TE',
        [
          [':status', '200'],
          ['te', 'trailers'],
        ],
        'connectionSpecific',
      ],
      [
        'connection',
        [
          [':status', '200'],
          ['connection', 'close'],
        ],
        'connectionSpecific',
      ],
    ],
  );
});

describe('Trailers', () => {
  table(
    (list) => list.trailersError,
    [
      [
        'the plain ones',
        [
          ['grpc-status', '0'],
          ['grpc-message', ''],
        ],
        'none',
      ],
      ['a pseudo-header', [[':status', '200']], 'pseudoInTrailers'],
      ['content-length', [['content-length', '1']], 'notAllowedInTrailers'],
      ['uppercase', [['Grpc-Status', '1']], 'uppercaseName'],
    ],
  );
});

describe('HeaderList', () => {
  it('has read what routing asks for', () => {
    const list = HeaderList.of([
      [':method', 'POST'],
      [':scheme', 'http'],
      [':path', '/a.B/C'],
      ['te', 'Trailers'],
      ['host', 'h:1'],
      ['content-type', 'application/grpc+proto'],
      ['content-length', '12'],
      ['grpc-timeout', '5S'],
      ['x', 'y'],
    ]);
    expect(list).toMatchObject({
      method: 'POST',
      scheme: 'http',
      path: '/a.B/C',
      authority: 'h:1',
      host: 'h:1',
      status: 0,
      contentLength: 12,
      isGrpc: true,
      teTrailers: true,
      grpcTimeout: '5S',
      requestError: 0,
      tooLarge: false,
    });
    expect(list.get('x')).toBe('y');
    expect(list.get('absent')).toBeUndefined();
    expect(HeaderList.of([['content-type', 'application/grpc-web']]).isGrpc).toBe(false);
    expect(
      HeaderList.of([
        [':status', '503'],
        ['grpc-status', '14'],
      ]),
    ).toMatchObject({
      status: 503,
      grpcStatus: '14',
      contentLength: -1,
    });
  });

  it('changes into another list', () => {
    const list = HeaderList.of([...get, ['a', '1'], ['a', '2'], ['b', '3']]);
    const changed = list.with({
      set: [
        ['a', '9'],
        ['c', '4'],
        [':path', '/x'],
        [':protocol', 'p'],
      ],
      remove: ['b'],
    });
    expect(changed.fields.map((field) => `${field.name} ${field.value}`)).toEqual([
      ':protocol p',
      ':method GET',
      ':scheme http',
      ':path /x',
      ':authority shop',
      'a 9',
      'c 4',
    ]);
    expect(changed.bytes).toBe(
      changed.fields.reduce((sum, field) => sum + field.name.length + field.value.length + 32, 0),
    );
    expect(changed.id).not.toBe(list.id);
    expect(list.path).toBe('/');
  });

  it('never smuggles a character beyond Latin-1 onto the wire', () => {
    expect(HeaderList.of([['grpc-message', 'caf\u00e9 \u010a\u{1f600}']]).get('grpc-message')).toBe('caf\u00e9 ???');
  });
});

describe('parseContentLength', () => {
  it('takes plain decimal digits only', () => {
    expect(['0', '42', '999999999999999'].map(parseContentLength)).toEqual([0, 42, 999999999999999]);
    for (const bad of ['', '-1', '+1', '1 ', '1,1', '0x1', '9'.repeat(16)]) expect(parseContentLength(bad)).toBe(-2);
  });
});
