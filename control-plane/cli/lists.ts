/** The lists the API answers: unknown at the border, trusted inside. */
import { isRecord, member } from '../../proto/policy/problems.ts';
import type { ApiClient } from './api-client.ts';
import { type InstanceRow, isInstanceRow, isServiceRow, type ServiceRow } from './api-guards.ts';
import { CommandError, ExitCode } from './exit-codes.ts';
import { type PolicyDocument, readDocument } from './policy-documents.ts';

/** A server that never stops saying "continue" must not keep us for ever. */
const pagesMax = 1000;

export async function listServices(client: ApiClient): Promise<readonly ServiceRow[]> {
  return items(client, '/v1/services', 'services', isServiceRow);
}

export async function listInstances(client: ApiClient): Promise<readonly InstanceRow[]> {
  return items(client, '/v1/instances', 'instances', isInstanceRow);
}

async function items<T>(
  client: ApiClient,
  path: string,
  what: string,
  check: (value: unknown) => value is T,
): Promise<readonly T[]> {
  const { body } = await client.request('GET', path);
  const list = member(body, 'items');
  if (!Array.isArray(list) || !list.every(check)) throw notUnderstood(client, what);
  return list;
}

export async function listPolicies(client: ApiClient, namespace: string | undefined): Promise<PolicyDocument[]> {
  const documents: PolicyDocument[] = [];
  let next: string | undefined;
  for (let page = 0; page < pagesMax; page++) {
    const query = new URLSearchParams({
      ...(namespace === undefined ? {} : { namespace }),
      ...(next === undefined ? {} : { continue: next }),
    }).toString();
    const { body } = await client.request('GET', `/v1/policies${query ? `?${query}` : ''}`);
    const items = member(body, 'items');
    if (!isRecord(body) || !Array.isArray(items)) throw notUnderstood(client, 'policies');
    for (const item of items) {
      const document = readDocument(item);
      if (!document) throw notUnderstood(client, 'policies');
      documents.push(document);
    }
    const token = body.continue ?? member(body.metadata, 'continue');
    if (typeof token !== 'string' || token === '') return documents;
    next = token;
  }
  throw notUnderstood(client, 'policies');
}

export function notUnderstood(client: ApiClient, what: string): CommandError {
  return new CommandError(
    ExitCode.failed,
    `${client.server} answered ${what} that this version of weir does not understand`,
    'compare "weir version"; and is this address a Weir control plane?',
  );
}
