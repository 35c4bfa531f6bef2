/**
 * Which protocol a connection speaks, by its first bytes (RFC 9113 §3.3, §3.4). "PRI" is no method that HTTP/1.1 could
 * ever use (RFC 9113 §11.6), so whatever begins like the preface is judged by the HTTP/2 engine, whose answer to a wrong
 * one is GOAWAY. A first line that names no version of HTTP speaks neither: it gets no answer, since there is no
 * protocol to give one in.
 */
import { prefaceBytes } from '../http2/constants.ts';

export type Sniffed = 'http2' | 'http1' | 'neither' | 'undecided';

/** As much of the preface as no HTTP/1.1 request can share: `PRI `. */
const unmistakableBytes = 4;
const lineFeed = 0x0a;

export function sniff(seen: Buffer): Sniffed {
  const compared = Math.min(seen.length, prefaceBytes.length);
  if (seen.compare(prefaceBytes, 0, compared, 0, compared) === 0) {
    return seen.length >= prefaceBytes.length ? 'http2' : 'undecided';
  }
  if (
    seen.length >= unmistakableBytes &&
    seen.compare(prefaceBytes, 0, unmistakableBytes, 0, unmistakableBytes) === 0
  ) {
    return 'http2';
  }
  const end = seen.indexOf(lineFeed);
  // An unfinished or empty line is for the HTTP/1.1 parser, which has its own limits and time-outs.
  if (end < 2) return 'http1';
  // Other versions are HTTP/1.1's to refuse (505), in words.
  return / HTTP\/\d/.test(seen.toString('latin1', 0, end)) ? 'http1' : 'neither';
}
