/** Dead letters as the API answers them, checked for what is shown. */
import type { DeadLetterDetail, DeadLetterView, RedriveView } from '../../proto/api.ts';
import { isRecord, member } from '../../proto/policy/problems.ts';
import { notUnderstood } from './answers.ts';
import type { ApiClient } from './api-client.ts';

const texts = [
  'target',
  'reference',
  'from',
  'method',
  'path',
  'parkedAt',
  'parkedFor',
  'diedAt',
  'reason',
  'answer',
] as const;
const numbers = ['sequence', 'bytes', 'deliveries'] as const;

export type DeadLetterRow = Pick<DeadLetterView, (typeof texts)[number] | (typeof numbers)[number]>;
export type DeadLetterFound = DeadLetterRow & Pick<DeadLetterDetail, 'headers' | 'body' | 'isTruncated'>;

export async function* deadLetters(client: ApiClient, service: string | undefined): AsyncGenerator<DeadLetterRow> {
  let next: string | undefined;
  do {
    const query = new URLSearchParams({
      ...(service === undefined ? {} : { service }),
      ...(next === undefined ? {} : { continue: next }),
    }).toString();
    const { body } = await client.request('GET', `/v1/dead-letters${query === '' ? '' : `?${query}`}`);
    const items = member(body, 'items');
    if (!Array.isArray(items) || !items.every(isRow)) throw notUnderstood(client, 'dead letters');
    yield* items;
    const token = member(body, 'continue');
    // It names a letter further on, so this ends.
    next = typeof token === 'string' && Number(token) > Number(next ?? 0) ? token : undefined;
  } while (next !== undefined);
}

export async function deadLetter(client: ApiClient, sequence: number): Promise<DeadLetterFound> {
  const { body } = await client.request('GET', `/v1/dead-letters/${sequence}`);
  if (!isRow(body) || !isFound(body)) throw notUnderstood(client, 'a dead letter');
  return body;
}

export function isRedrive(value: unknown): value is RedriveView {
  return (
    isRecord(value) &&
    ['target', 'state', 'problem'].every((name) => typeof value[name] === 'string') &&
    ['moved', 'skipped', 'ratePerSecond'].every((name) => typeof value[name] === 'number')
  );
}

function isRow(value: unknown): value is DeadLetterRow {
  return (
    isRecord(value) &&
    texts.every((name) => typeof value[name] === 'string') &&
    numbers.every((name) => typeof value[name] === 'number')
  );
}

function isFound(value: DeadLetterRow): value is DeadLetterFound {
  const headers = member(value, 'headers');
  return (
    Array.isArray(headers) &&
    headers.every((one) => typeof member(one, 'name') === 'string' && typeof member(one, 'value') === 'string') &&
    typeof member(value, 'body') === 'string' &&
    typeof member(value, 'isTruncated') === 'boolean'
  );
}
