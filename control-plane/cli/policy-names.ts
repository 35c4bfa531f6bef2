/** Policies as people name them: `payments`, `shop/payments`, `payments -n shop`. */
import type { ApiClient } from './api-client.ts';
import type { Arguments } from './arguments.ts';
import { CommandError, ExitCode, usageError } from './exit-codes.ts';
import { policyPath } from './policy-documents.ts';

export interface PolicyName {
  readonly namespace: string;
  readonly name: string;
}

/** Without -n or a namespace in the name, in the namespace "default". */
export function policyNameIn(given: Arguments, word: string | undefined, usage: string): PolicyName {
  if (word === undefined) throw usageError('which policy?', usage);
  const [first, second] = word.split('/', 2);
  const namespace = given.text('namespace');
  if (second === undefined) return { namespace: namespace ?? 'default', name: word };
  if (namespace !== undefined && namespace !== first) throw usageError(`${word} is not in namespace ${namespace}`);
  return { namespace: first ?? '', name: second };
}

/** The tag of what is there now: a write names it, so that what is changed is what was looked at. */
export async function tagOf(client: ApiClient, path: string, what: string): Promise<string> {
  const { status, etag } = await client.request('GET', path, { accept: [404] });
  if (status === 404) throw new CommandError(ExitCode.failed, `${what} does not exist`);
  if (etag === undefined) throw new CommandError(ExitCode.failed, 'the control plane sent no ETag');
  return etag;
}

export function tagOfPolicy(client: ApiClient, policy: PolicyName): Promise<string> {
  return tagOf(client, policyPath(policy), `policy ${policy.namespace}/${policy.name}`);
}
