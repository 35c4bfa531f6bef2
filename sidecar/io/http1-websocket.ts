/**
 * WebSocket's handshake fields. In HTTP/1.1 key and accept prove that both ends mean WebSocket (RFC 6455 §1.3); over
 * HTTP/2 neither exists (RFC 8441 §5), so where the two meet the proxy makes one of them and checks the other.
 */
import { createHash, randomBytes } from 'node:crypto';

const guid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

export const websocketKeyName = 'sec-websocket-key';
export const websocketAcceptName = 'sec-websocket-accept';

export function newWebsocketKey(): string {
  return randomBytes(16).toString('base64');
}

export function websocketAccept(key: string): string {
  return createHash('sha1').update(`${key}${guid}`).digest('base64');
}
