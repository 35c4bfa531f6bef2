/**
 * A request that asks to switch to something that we do not pass on is answered as if it had not asked (RFC 9110 §7.8;
 * for h2c, RFC 9113 §3.1). node has given its parser away by then, so the head is written out again without the offer
 * and read once more.
 */
import type { IncomingMessage } from 'node:http';

export function withoutUpgrade(request: IncomingMessage): Buffer {
  let text = `${request.method} ${request.url} HTTP/${request.httpVersion}\r\n`;
  const raw = request.rawHeaders;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i]!.toLowerCase();
    if (name === 'upgrade' || name === 'http2-settings') continue;
    if (name !== 'connection') text += `${raw[i]}: ${raw[i + 1]}\r\n`;
    else {
      const tokens = raw[i + 1]!.split(',').map((token) => token.trim());
      const kept = tokens.filter((token) => !/^(upgrade|http2-settings)?$/i.test(token));
      if (kept.length > 0) text += `${raw[i]}: ${kept.join(', ')}\r\n`;
    }
  }
  return Buffer.from(`${text}\r\n`, 'latin1');
}
