/**
 * The PROXY v2 parser: every form that the specification (haproxy's proxy-protocol.txt §2.2) allows, and that no other
 * bytes are taken for one, however they are cut.
 */
import { SocketAddress } from 'node:net';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseProxyHeader, proxyHeaderBytesMax } from '../../../sidecar/io/proxy-protocol.ts';

const signature = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');

function header(versionAndCommand: number, family: number, content: Buffer, length = content.length): Buffer {
  const fixed = Buffer.from([versionAndCommand, family, length >> 8, length & 255]);
  return Buffer.concat([signature, fixed, content]);
}

const ipv4 = Buffer.from([203, 0, 113, 7, 10, 0, 0, 1, 0x30, 0x39, 0x01, 0xbb]);

test('an IPv4 address is read, TLVs are skipped, what follows is not touched', () => {
  const tlvs = Buffer.from('0400050102030405', 'hex');
  const bytes = Buffer.concat([header(0x21, 0x11, Buffer.concat([ipv4, tlvs])), Buffer.from('PRI')]);
  expect(parseProxyHeader(bytes)).toEqual({
    state: 'complete',
    bytes: bytes.length - 3,
    isLocal: false,
    address: '203.0.113.7',
  });
});

test('LOCAL, UNSPEC and Unix addresses name nobody', () => {
  expect(parseProxyHeader(header(0x20, 0x00, Buffer.alloc(0)))).toMatchObject({ isLocal: true, address: null });
  expect(parseProxyHeader(header(0x20, 0x11, ipv4))).toMatchObject({ isLocal: true, address: null, bytes: 28 });
  expect(parseProxyHeader(header(0x21, 0x00, Buffer.alloc(9)))).toMatchObject({ isLocal: false, address: null });
  expect(parseProxyHeader(header(0x21, 0x31, Buffer.alloc(216)))).toMatchObject({ isLocal: false, address: null });
});

test.each([
  ['version 1, the text form', Buffer.from('PROXY TCP4 203.0.113.7 10.0.0.1 12345 443\r\n')],
  ['HTTP/2 without a header', Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')],
  ['a TLS handshake', Buffer.from('1603010200010001fc0303', 'hex')],
  ['version 3 in the binary form', header(0x31, 0x11, ipv4)],
  ['an unknown command', header(0x22, 0x11, ipv4)],
  ['datagrams', header(0x21, 0x12, ipv4)],
  ['an unknown family', header(0x21, 0x41, ipv4)],
  ['too few bytes for IPv4', header(0x21, 0x11, ipv4.subarray(0, 11))],
  ['too few bytes for IPv6', header(0x21, 0x21, Buffer.alloc(35))],
  ['too few bytes for Unix', header(0x21, 0x31, Buffer.alloc(215))],
  ['more bytes than the bound, before they are sent', header(0x21, 0x11, ipv4, proxyHeaderBytesMax - 15)],
])('%s is malformed', (_name, bytes) => {
  expect(parseProxyHeader(bytes).state).toBe('malformed');
});

test('a header of exactly the bound is taken', () => {
  const content = Buffer.concat([ipv4, Buffer.alloc(proxyHeaderBytesMax - 16 - ipv4.length)]);
  expect(parseProxyHeader(header(0x21, 0x11, content))).toMatchObject({ bytes: proxyHeaderBytesMax });
});

test('an IPv6 address is written as node writes those of sockets', () => {
  const group = fc.oneof(fc.constant(0), fc.constant(0xffff), fc.integer({ min: 0, max: 0xffff }));
  fc.assert(
    fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), (groups) => {
      const content = Buffer.alloc(36);
      for (let i = 0; i < 8; i++) content.writeUInt16BE(groups[i]!, i * 2);
      const plain = groups.map((value) => value.toString(16)).join(':');
      const { address } = new SocketAddress({ address: plain, family: 'ipv6' });
      expect(parseProxyHeader(header(0x21, 0x21, content))).toMatchObject({ address });
    }),
    { numRuns: 2000 },
  );
});

test('every beginning of a good header is incomplete, and any byte of the signature changed is malformed', () => {
  const good = header(0x21, 0x11, ipv4);
  for (let length = 0; length < good.length; length++) {
    expect(parseProxyHeader(good.subarray(0, length)).state).toBe('incomplete');
  }
  for (let at = 0; at < signature.length; at++) {
    const bad = Buffer.from(good);
    bad[at]! ^= 1;
    expect(parseProxyHeader(bad.subarray(0, at + 1)).state).toBe('malformed');
  }
});

test('any bytes: an answer, the same for every longer input once it is given, and never beyond the input', () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc
      .tuple(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 0, max: 255 }), fc.uint8Array({ maxLength: 300 }))
      .map(([first, second, rest]) => header(first, second, Buffer.from(rest))),
  );
  fc.assert(
    fc.property(bytes, fc.nat(330), (input, cut) => {
      const whole = Buffer.from(input);
      const answer = parseProxyHeader(whole);
      if (answer.state === 'complete') expect(answer.bytes).toBeLessThanOrEqual(whole.length);
      const early = parseProxyHeader(whole.subarray(0, cut));
      if (early.state !== 'incomplete') expect(answer.state).toBe(early.state);
    }),
  );
});
