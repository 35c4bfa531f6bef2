/** The lists the API answers: unknown at the border, trusted inside. */
import { member } from '../../proto/policy/problems.ts';
import { itemsOf, notUnderstood } from './answers.ts';
import type { ApiClient } from './api-client.ts';
import { type InstanceRow, isInstanceRow, isServiceRow, type ServiceRow } from './api-guards.ts';
import { type PolicyDocument, readDocument } from './policy-documents.ts';

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
  const query = namespace === undefined ? '' : `?${new URLSearchParams({ namespace })}`;
  for await (const item of itemsOf(client, `/v1/policies${query}`, 'policies')) {
    const document = readDocument(item);
    if (!document) throw notUnderstood(client, 'policies');
    documents.push(document);
  }
  return documents;
}
