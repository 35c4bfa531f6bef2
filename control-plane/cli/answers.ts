/** Answers of the API against the schemas that both sides share: unknown at the border, trusted inside. */
import type { Static, TSchema } from 'typebox';
import { isRecord } from '../../proto/policy/problems.ts';
import type { ApiClient } from './api-client.ts';
import { CommandError, ExitCode } from './exit-codes.ts';

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

/** The items of a list as they came, page by page. */
export async function* itemsOf(client: ApiClient, path: string, what: string): AsyncGenerator<unknown> {
  let next: string | undefined;
  for (let page = 0; page < pagesMax; page++) {
    const join = path.includes('?') ? '&' : '?';
    const { body } = await client.request('GET', next === undefined ? path : `${path}${join}continue=${next}`);
    if (!isRecord(body) || !Array.isArray(body.items)) throw notUnderstood(client, what);
    yield* body.items;
    if (typeof body.continue !== 'string' || body.continue === '') return;
    next = encodeURIComponent(body.continue);
  }
  throw notUnderstood(client, what);
}

/** All items of a list, at most `itemsMax`. `path` without `continue`. */
export async function listed<T extends TSchema>(
  client: ApiClient,
  schema: T,
  path: string,
  what: string,
  itemsMax = Number.POSITIVE_INFINITY,
): Promise<Static<T>[]> {
  const items: Static<T>[] = [];
  for await (const item of itemsOf(client, path, what)) {
    items.push(await understood(client, schema, item, what));
    if (items.length >= itemsMax) break;
  }
  return items;
}

export function notUnderstood(client: ApiClient, what: string): CommandError {
  return new CommandError(
    ExitCode.failed,
    `${client.server} answered ${what} that this version of weir does not understand`,
    'compare "weir version"; and is this address a Weir control plane?',
  );
}
