/**
 * Our lists in HTTP/1.1's form, as node takes them: `[name, value, name, value, …]`. How the message is framed is said
 * here in so many words and never left to node's defaults: a GET with content, legal in HTTP/2, would go out without any
 * framing, and its content would be the next request.
 */
import type { IncomingMessage } from 'node:http';
import type { Field, HeaderList } from '../http2/hpack/field.ts';
import { FieldName } from '../http2/hpack/field-name.ts';
import type { ConnectionLimits } from '../http2/limits.ts';
import { Framing, field, listOf, readFields } from './http1-fields.ts';
import { trailerFieldsMax } from './http1-limits.ts';
import { isHopByHop } from './http1-names.ts';

const colon = 0x3a;

/** The methods that mean nothing by content, so that a request without any need not say so (RFC 9110 §8.6). */
const bodiless: ReadonlySet<string> = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS', 'TRACE', 'CONNECT']);

/** The fields of a request toward an endpoint, framing included. */
export function requestFields(list: HeaderList, endStream: boolean): string[] {
  const raw: string[] = ['host', list.authority];
  let cookies = '';
  const { fields } = list;
  for (let i = 0; i < fields.length; i++) {
    const { name, value, id } = fields[i]!;
    if (name.charCodeAt(0) === colon || isHopByHop(name) || id === FieldName.contentLength) continue;
    // HTTP/2 may send it in crumbs; here it is one field (RFC 9113 §8.2.3).
    if (id === FieldName.cookie) cookies = cookies === '' ? value : `${cookies}; ${value}`;
    // node throws at the announcement of trailers where there is no place for them.
    else if (name !== 'trailer' || (!endStream && list.contentLength < 0)) raw.push(name, value);
  }
  if (cookies !== '') raw.push('cookie', cookies);
  if (list.teTrailers) raw.push('te', 'trailers', 'connection', 'TE');
  if (endStream) {
    if (list.contentLength === 0 || !bodiless.has(list.method)) raw.push('content-length', '0');
  } else if (list.contentLength >= 0) raw.push('content-length', String(list.contentLength));
  else raw.push('transfer-encoding', 'chunked');
  return raw;
}

/**
 * The fields of a response toward a caller; `canChunk` when content without a length can be sent and is not forbidden by
 * the request (HTTP/1.0, HEAD). node adds Date, Connection and, where content has no length, chunked.
 */
export function responseFields(list: HeaderList, canChunk: boolean): string[] {
  const raw: string[] = [];
  const { fields, status } = list;
  for (let i = 0; i < fields.length; i++) {
    const { name, value, id } = fields[i]!;
    if (name.charCodeAt(0) === colon || isHopByHop(name)) continue;
    // Neither may have one (RFC 9110 §8.6); gRPC needs its trailers, which a length leaves no place for.
    if (id === FieldName.contentLength && (status === 204 || status < 200 || (list.isGrpc && canChunk))) continue;
    if (name === 'trailer' && (!canChunk || status === 204 || status === 304 || list.contentLength >= 0)) continue;
    raw.push(name, value);
  }
  return raw;
}

/** Trailers, or the fields of an interim answer: whatever goes from end to end. */
export function plainFields(list: HeaderList): [name: string, value: string][] {
  const pairs: [string, string][] = [];
  for (const { name, value } of list.fields) {
    if (name.charCodeAt(0) !== colon && !isHopByHop(name)) pairs.push([name, value]);
  }
  return pairs;
}

/** The head of an answer; null when it is none that we would pass on. */
export function responseHead(
  status: number,
  version: string,
  raw: readonly string[],
  limits: ConnectionLimits,
): HeaderList | null {
  if (!version.startsWith('1.') || raw.length > limits.headerFieldsMax * 2) return null;
  const framing = new Framing();
  const fields: Field[] = [field(':status', FieldName.status, String(status))];
  readFields(raw, fields, framing);
  // Another coding would come out as if it had never been there; in HTTP/1.0 there is none (RFC 9112 §6.1).
  if (framing.isAmbiguous || (framing.isChunked && version === '1.0')) return null;
  let list = listOf(fields);
  if (status === 204 && list.contentLength !== -1) list = list.with({ remove: ['content-length'] });
  return list.responseError === 0 && list.bytes <= limits.headerListBytesMax ? list : null;
}

/** The head of a 101 in the form of an extended CONNECT's answer; null when it is not the switch that was asked for. */
export function switchedHead(response: IncomingMessage, protocol: string, limits: ConnectionLimits): HeaderList | null {
  if (response.statusCode !== 101 || response.headers.upgrade?.toLowerCase() !== protocol.toLowerCase()) return null;
  const head = responseHead(200, response.httpVersion, response.rawHeaders, limits);
  // A tunnel has no length.
  return head === null || head.contentLength === -1 ? head : head.with({ remove: ['content-length'] });
}

/** The trailers that came with a message; null when they are too many or what trailers must not be (RFC 9110 §6.5.1). */
export function trailersOf(message: IncomingMessage): HeaderList | null {
  if (message.rawTrailers.length > trailerFieldsMax * 2) return null;
  const fields: Field[] = [];
  const framing = new Framing();
  readFields(message.rawTrailers, fields, framing);
  if (framing.isChunked || framing.hosts > 0) return null;
  const list = listOf(fields);
  return list.trailersError === 0 ? list : null;
}
