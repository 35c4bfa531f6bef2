/**
 * As much of WebSocket (RFC 6455) as a test needs to know that one passed: the handshake and short text frames, as
 * Latin-1 text like everything in http1-wire.ts.
 */
import { createHash } from 'node:crypto';

export const websocketKey = 'dGhlIHNhbXBsZSBub25jZQ==';
/** What RFC 6455 §1.3 answers to that key. */
export const websocketAnswer = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';

export function handshake(path: string): string {
  return (
    `GET ${path} HTTP/1.1\r\nHost: chat\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n` +
    `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${websocketKey}\r\n\r\n`
  );
}

export function acceptOf(key: string): string {
  return createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
}

/** A text frame; clients mask theirs. Up to 125 octets. */
export function textFrame(text: string, isMasked: boolean): string {
  if (!isMasked) return `\x81${String.fromCharCode(text.length)}${text}`;
  const mask = [0x37, 0xfa, 0x21, 0x3d];
  const masked = [...text].map((char, i) => String.fromCharCode(char.charCodeAt(0) ^ mask[i % 4]!));
  return `\x81${String.fromCharCode(0x80 | text.length)}${String.fromCharCode(...mask)}${masked.join('')}`;
}

/** The text of a whole frame, masked or not; undefined while it is not whole. */
export function readFrame(octets: string): string | undefined {
  if (octets.length < 2) return undefined;
  const second = octets.charCodeAt(1);
  const length = second & 0x7f;
  const isMasked = (second & 0x80) !== 0;
  const from = isMasked ? 6 : 2;
  if (octets.charCodeAt(0) !== 0x81 || octets.length < from + length) return undefined;
  const text = [...octets.slice(from, from + length)];
  if (!isMasked) return text.join('');
  return text.map((char, i) => String.fromCharCode(char.charCodeAt(0) ^ octets.charCodeAt(2 + (i % 4)))).join('');
}
