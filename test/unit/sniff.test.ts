/**
 * The first bytes of a connection, and whose they are.
 */
import { describe, expect, test } from 'vitest';
import { prefaceText } from '../../sidecar/http2/constants.ts';
import { sniff } from '../../sidecar/io/sniff.ts';

const sniffed = (text: string): string => sniff(Buffer.from(text, 'latin1'));

describe('sniff', () => {
  test('waits while the bytes may still become the preface, and knows it when it is whole', () => {
    for (let length = 1; length < prefaceText.length; length++) {
      expect(sniffed(prefaceText.slice(0, length))).toBe('undecided');
    }
    expect(sniffed(prefaceText)).toBe('http2');
    expect(sniffed(`${prefaceText}more`)).toBe('http2');
  });

  test('leaves a preface that goes wrong to HTTP/2, which says so with GOAWAY', () => {
    expect(sniffed('PRI * HTTP/2.0\r\n\r\nXX')).toBe('http2');
    expect(sniffed('PRI / HTTP/1.1\r\n')).toBe('http2');
  });

  test('hands requests, and beginnings of requests, to HTTP/1.1', () => {
    for (const text of [
      'G',
      'GET / HT',
      'GET / HTTP/1.1\r\n',
      'PROPFIND /a b HTTP/1.0\n',
      'GET / HTTP/2.0\r\n',
      'P',
      '\r\n',
    ]) {
      expect([text, sniffed(text)]).toEqual([text, text === 'P' ? 'undecided' : 'http1']);
    }
    expect(sniffed('PUT / HTTP/1.1\r\n')).toBe('http1');
  });

  test('calls a first line that names no version of HTTP neither', () => {
    expect(sniffed('INVALID CONNECTION PREFACE\r\n\r\n')).toBe('neither');
    expect(sniffed('\x16\x03\x01\n')).toBe('neither');
  });
});
