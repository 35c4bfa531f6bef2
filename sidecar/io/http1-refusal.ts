/**
 * What an HTTP/1.1 caller hears when its request never became one: the same answers as everywhere (exchange/answers.ts),
 * written by hand where node's parser gave up and there is no response object. Such a connection always ends, since
 * where the next request would begin is no longer known.
 */
import { type ServerResponse, STATUS_CODES } from 'node:http';
import { Reason } from '../../proto/reasons.ts';
import { answerFor } from '../exchange/answers.ts';
import { plainFields } from './http1-headers.ts';

const texts = new Map<number, string>();

/** A whole answer as text. */
export function refusalText(reason: number): string {
  let text = texts.get(reason);
  if (text === undefined) {
    const { head, body } = answerFor(reason, false, 0);
    const fields = plainFields(head).map(([name, value]) => `${name}: ${value}\r\n`);
    const first = `HTTP/1.1 ${head.status} ${STATUS_CODES[head.status] ?? ''}\r\n`;
    text = `${first}${fields.join('')}connection: close\r\n\r\n${body?.toString('latin1') ?? ''}`;
    texts.set(reason, text);
  }
  return text;
}

/** Answers a request that was read but is none that we pass on. */
export function refuseRequest(response: ServerResponse, reason: number): void {
  const { head, body } = answerFor(reason, false, 0);
  response.shouldKeepAlive = false;
  response.writeHead(head.status, plainFields(head).flat());
  response.end(body ?? undefined);
}

/** The reason behind an error of node's parser; `Reason.none` when the connection just broke. */
export function reasonOfParseError(error: Error): number {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (code === 'HPE_HEADER_OVERFLOW') return Reason.headersTooLarge;
  // The caller went away in the middle of a message.
  if (code === 'HPE_INVALID_EOF_STATE' || isAfterClose(error)) return Reason.none;
  return code.startsWith('HPE_') ? Reason.badRequest : Reason.none;
}

/** More came after a request with `Connection: close`; whatever it is, nobody reads it. */
export function isAfterClose(error: Error): boolean {
  return 'code' in error && error.code === 'HPE_CLOSED_CONNECTION';
}
