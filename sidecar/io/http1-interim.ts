/**
 * Interim answers (1xx) toward an HTTP/1.1 caller. 101 is no answer that one hop could pass on: upgrades have their own
 * road. HTTP/1.0 callers know none of them (RFC 9110 §15.2).
 */
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { HeaderList } from '../http2/hpack/field.ts';
import { plainFields } from './http1-headers.ts';

export function sendInterim(request: IncomingMessage, response: ServerResponse, list: HeaderList): void {
  if (request.httpVersionMinor === 0 || list.status === 101) return;
  // This one node has to know of: without it, it closes the connection after the answer.
  if (list.status === 100) return response.writeContinue();
  let text = `HTTP/1.1 ${list.status} ${STATUS_CODES[list.status] ?? ''}\r\n`;
  for (const [name, value] of plainFields(list)) text += `${name}: ${value}\r\n`;
  // One request at a time is answered on a connection, so this is between two answers.
  response.socket?.write(`${text}\r\n`, 'latin1');
}
