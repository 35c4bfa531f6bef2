/**
 * Header lists to and from node's HTTP/1.1 form. Fields that belong to one connection (RFC 9110 §7.6.1) stay on their
 * side of the proxy.
 */
import { HeaderList } from '../http2/hpack/field.ts';

const hopByHop = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
  'te',
  'trailer',
  'host',
  'http2-settings',
]);

/** `[name, value, name, value, …]` as node gives it, appended to `pairs` without what stays on this hop. */
export function appendFields(pairs: [string, string][], raw: readonly string[]): void {
  const named = new Set<string>();
  for (let i = 0; i + 1 < raw.length; i += 2) {
    if (raw[i]!.toLowerCase() !== 'connection') continue;
    for (const name of raw[i + 1]!.split(',')) named.add(name.trim().toLowerCase());
  }
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i]!.toLowerCase();
    if (!hopByHop.has(name) && !named.has(name)) pairs.push([name, raw[i + 1]!]);
  }
}

/** The head of a request; `url` may be in absolute form (RFC 9112 §3.2.2). */
export function requestHead(method: string, url: string, host: string, raw: readonly string[]): HeaderList {
  const absolute = /^https?:\/\/([^/?#]*)(.*)$/i.exec(url);
  const path = absolute ? absolute[2]! : url;
  const pairs: [string, string][] = [
    [':method', method],
    [':scheme', 'http'],
    [':authority', absolute ? absolute[1]! : host],
    [':path', path.startsWith('/') || path === '*' ? path : `/${path}`],
  ];
  appendFields(pairs, raw);
  return HeaderList.of(pairs);
}

export function responseHead(status: number, raw: readonly string[]): HeaderList {
  const pairs: [string, string][] = [[':status', String(status)]];
  appendFields(pairs, raw);
  return HeaderList.of(pairs);
}

export function trailersOf(raw: readonly string[]): HeaderList {
  const pairs: [string, string][] = [];
  appendFields(pairs, raw);
  return HeaderList.of(pairs);
}

/** The regular fields as node's writeHead takes them: `[name, value, name, value, …]`. */
export function toRaw(list: HeaderList): string[] {
  const raw: string[] = [];
  for (const { name, value } of list.fields) {
    if (name.charCodeAt(0) !== 0x3a && !hopByHop.has(name)) raw.push(name, value);
  }
  return raw;
}
