/**
 * What a shared cache may keep of an answer, and give to whom (RFC 9111 §3, §4.1, §4.2.4; RFC 5861 §4). Whatever an
 * answer or a request says against it, it is obeyed; what is unclear is not kept.
 */
import type { HeaderList } from '../http2/hpack/field.ts';
import type { StoredAnswer, StoredField } from '../resilience/stale-answers.ts';

const statuses: ReadonlySet<number> = new Set([200, 203, 204]);
const forbidden = ['no-store', 'no-cache', 'private', 'must-revalidate', 'proxy-revalidate', 's-maxage'];
/** Of an answer's fields, those that are worked out anew for each time it is given. */
const notKept = /^(:status|age|endpoint-load-metrics-bin|ratelimit|ratelimit-policy|weir-.*)$/;

/** Name → value of the directives; the last one counts. */
function directives(list: HeaderList): Map<string, string> {
  const found = new Map<string, string>();
  for (const { name, value } of list.fields) {
    if (name !== 'cache-control') continue;
    for (const directive of value.split(',')) {
      const [key = '', argument = ''] = directive.split('=');
      found.set(key.trim().toLowerCase(), argument.trim().replace(/^"|"$/g, ''));
    }
  }
  return found;
}

/** Whether the request may be answered from a cache, and its answer kept, as far as it says itself. */
export function mayUseCache(request: HeaderList): boolean {
  if (!request.isGrpc && request.method !== 'GET' && request.method !== 'HEAD') return false;
  if (request.protocol !== '' || request.get('range') !== undefined) return false;
  const asked = directives(request);
  return !asked.has('no-store') && !asked.has('no-cache') && request.get('pragma') !== 'no-cache';
}

/** Whether the answer may be kept and given to others, when there is no fresh one to be had. */
export function mayKeep(request: HeaderList, answer: HeaderList): boolean {
  if (!statuses.has(answer.status) || answer.get('set-cookie') !== undefined) return false;
  if (answer.get('weir-fallback') !== undefined || answer.get('content-range') !== undefined) return false;
  const said = directives(answer);
  if (forbidden.some((directive) => said.has(directive))) return false;
  return !isPersonal(request) || said.has('public');
}

/** It shows credentials. What was kept of a request without any is not for who shows some, unless it is for everybody. */
export function isPersonal(request: HeaderList): boolean {
  return request.get('authorization') !== undefined || request.get('cookie') !== undefined;
}

export function isForEverybody({ fields }: StoredAnswer): boolean {
  return fields.some(([name, value]) => name === 'cache-control' && /(^|,)\s*public\s*(,|$)/i.test(value));
}

/** The fields of the request that the answer depends on; null when it depends on everything. */
export function variesBy(request: HeaderList, answer: HeaderList): StoredField[] | null {
  const names = new Set<string>();
  for (const { name, value } of answer.fields) {
    if (name !== 'vary') continue;
    for (const one of value.split(',')) if (one.trim() !== '') names.add(one.trim().toLowerCase());
  }
  if (names.has('*')) return null;
  return [...names].sort().map((name) => [name, valuesOf(request, name)]);
}

/** All values of that name; '' when absent. */
export function valuesOf(list: HeaderList, name: string): string {
  return list.fields
    .filter((field) => field.name === name)
    .map(({ value }) => value)
    .join(', ');
}

/** Until when the answer lets itself be given, by its own word; infinite when it says nothing of that. */
export function ownMaxAgeMs(answer: HeaderList): number {
  const said = directives(answer);
  const error = said.get('stale-if-error');
  if (error === undefined) return Number.POSITIVE_INFINITY;
  return 1000 * (seconds(said.get('max-age')) + seconds(error));
}

export function ageMsOf(answer: HeaderList): number {
  return 1000 * seconds(answer.get('age'));
}

function seconds(text: string | undefined): number {
  return text !== undefined && /^[0-9]{1,10}$/.test(text) ? Number(text) : 0;
}

export function keptFields(list: HeaderList): StoredField[] {
  return list.fields.filter(({ name }) => !notKept.test(name)).map(({ name, value }) => [name, value]);
}

/** Equal keys mean the same request. `content`: all of it, for gRPC, whose calls differ by their messages. */
export function cacheKey({ method, scheme, authority, path, isGrpc }: HeaderList, content: Buffer | null): string {
  const address = `${method} ${scheme}://${authority}${path}`;
  return isGrpc ? `${address}\n${content === null ? '' : content.toString('latin1')}` : address;
}

export type KeptAnswer = Omit<StoredAnswer, 'body' | 'trailers' | 'storedMs'>;

/** null when the answer is none to keep. */
export function keptAnswer(request: HeaderList, answer: HeaderList): KeptAnswer | null {
  if (!mayKeep(request, answer)) return null;
  const vary = variesBy(request, answer);
  if (vary === null) return null;
  return {
    vary,
    status: answer.status,
    fields: keptFields(answer),
    ageMs: ageMsOf(answer),
    maxAgeMs: ownMaxAgeMs(answer),
  };
}
