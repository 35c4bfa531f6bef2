/** Answers of the API against the schemas that both sides share: unknown at the border, trusted inside. */
import type { Static, TSchema } from 'typebox';
import { isRecord } from '../../proto/policy/problems.ts';
import type { ApiClient } from './api-client.ts';
import { notUnderstood } from './lists.ts';

/** A server that never stops saying "continue" must not keep us for ever. */
const pagesMax = 1000;

/** Fields that a newer server adds are let be; one that lacks a field is not understood. */
export async function understood<T extends TSchema>(
  client: ApiClient,
  schema: T,
  body: unknown,
  what: string,
): Promise<Static<T>> {
  const { Check } = await import('typebox/value');
  if (Check(schema, body)) return body;
  throw notUnderstood(client, what);
}

/** All items of a list, page by page, at most `itemsMax`. `query` without `continue`. */
export async function listed<T extends TSchema>(
  client: ApiClient,
  schema: T,
  path: string,
  what: string,
  itemsMax = Number.POSITIVE_INFINITY,
): Promise<Static<T>[]> {
  const items: Static<T>[] = [];
  let next: string | undefined;
  for (let page = 0; page < pagesMax; page++) {
    const join = path.includes('?') ? '&' : '?';
    const { body } = await client.request('GET', next === undefined ? path : `${path}${join}continue=${next}`);
    if (!isRecord(body) || !Array.isArray(body.items)) throw notUnderstood(client, what);
    for (const item of body.items) items.push(await understood(client, schema, item, what));
    next = typeof body.continue === 'string' && body.continue !== '' ? body.continue : undefined;
    if (next === undefined || items.length >= itemsMax) return items.slice(0, itemsMax);
  }
  throw notUnderstood(client, what);
}
