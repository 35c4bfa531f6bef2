/**
 * The head of an HTTP/1.1 request, judged. node's parser refuses most of what requests are smuggled with (both lengths,
 * folded lines, lone LF or CR, odd characters); this is what it lets through and two readers could read differently:
 *
 * - any transfer coding but one `chunked`, or one in HTTP/1.0, which knows none (RFC 9112 §6.1);
 * - several Hosts, or none, or another than the target in absolute form names (RFC 9112 §3.2);
 * - a target that is neither a path nor in absolute form, or has a fragment;
 * - versions that are not HTTP/1.0 or 1.1 (HTTP/0.9, "HTTP/2.0").
 */
import type { IncomingMessage } from 'node:http';
import { Reason } from '../../proto/reasons.ts';
import type { Field, HeaderList } from '../http2/hpack/field.ts';
import { FieldName } from '../http2/hpack/field-name.ts';
import type { ConnectionLimits } from '../http2/limits.ts';
import { Framing, field, listOf, readFields } from './http1-fields.ts';

export interface Http1Head {
  readonly list: HeaderList;
  readonly hasContent: boolean;
  /** The protocol to switch to, '' when none was asked for, or none that we would pass on. */
  readonly upgrade: string;
}

const absoluteForm = /^(https?):\/\/([^/?#]*)(.*)$/i;

/** The head, or the reason for which the request is refused. */
export function readRequestHead(request: IncomingMessage, limits: ConnectionLimits): Http1Head | number {
  const raw = request.rawHeaders;
  if (raw.length > limits.headerFieldsMax * 2) return Reason.headersTooLarge;
  const isOld = request.httpVersion === '1.0';
  if (!isOld && request.httpVersion !== '1.1') return Reason.badRequest;
  const framing = new Framing();
  const method = request.method ?? '';
  // The first four are set below, once Host is known.
  const fields: Field[] = [methodField(method), methodField(method), methodField(method), methodField(method)];
  const scheme = 'encrypted' in request.socket ? 'https' : 'http';
  readFields(raw, fields, framing);
  if (framing.isAmbiguous || (framing.isChunked && isOld) || framing.hosts > 1) return Reason.badRequest;
  let authority = framing.host;
  // Only HTTP/1.0 may leave it out; then whom the caller means is whom it reached (RFC 9112 §3.3).
  if (framing.hosts === 0 && isOld) authority = ownName(request);
  let path = request.url ?? '';
  if (path.charCodeAt(0) !== 0x2f && path !== '*') {
    const absolute = absoluteForm.exec(path);
    if (absolute === null) return Reason.badRequest;
    if (framing.hosts > 0 && absolute[2]!.toLowerCase() !== authority.toLowerCase()) return Reason.badRequest;
    authority = absolute[2]!;
    path = absolute[3]!;
    if (path === '') path = method === 'OPTIONS' ? '*' : '/';
    else if (path.charCodeAt(0) !== 0x2f) path = `/${path}`;
  }
  if (path.includes('#')) return Reason.badRequest;
  const upgrade = upgradeOf(framing);
  if (framing.teTrailers) fields.push(field('te', FieldName.te, 'trailers'));
  fields[1] = field(':scheme', FieldName.scheme, scheme);
  fields[2] = field(':authority', FieldName.authority, authority);
  fields[3] = field(':path', FieldName.path, path);
  let list = listOf(fields);
  const hasContent = framing.isChunked || list.contentLength > 0;
  // With content the switch could only come after it; such a request is answered like any other (RFC 9110 §7.8).
  const switches = upgrade !== '' && method === 'GET' && !hasContent && !isOld;
  if (switches) {
    fields[0] = methodField('CONNECT');
    fields.splice(1, 0, field(':protocol', FieldName.protocol, upgrade));
    list = listOf(fields);
  }
  if (list.bytes > limits.headerListBytesMax || hasLongField(fields, limits.headerFieldBytesMax)) {
    return Reason.headersTooLarge;
  }
  if (list.requestError !== 0) return Reason.badRequest;
  return { list, hasContent, upgrade: switches ? upgrade : '' };
}

function methodField(method: string): Field {
  return field(':method', FieldName.method, method);
}

/** RFC 9113 §3.1 took h2c out: such an offer is left unanswered. Of several protocols the first is asked for. */
function upgradeOf(framing: Framing): string {
  if (framing.upgrade === '' || framing.named?.includes('upgrade') !== true) return '';
  for (const part of framing.upgrade.split(',')) {
    const token = part.trim();
    if (token !== '' && !/^h2c?$/i.test(token)) return token.toLowerCase() === 'websocket' ? 'websocket' : token;
  }
  return '';
}

function ownName(request: IncomingMessage): string {
  const { localAddress, localPort, localFamily } = request.socket;
  if (localAddress === undefined) return 'localhost';
  return localFamily === 'IPv6' ? `[${localAddress}]:${localPort}` : `${localAddress}:${localPort}`;
}

function hasLongField(fields: readonly Field[], bytesMax: number): boolean {
  for (let i = 0; i < fields.length; i++) if (fields[i]!.bytes > bytesMax + 32) return true;
  return false;
}
