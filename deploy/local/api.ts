/** The control plane's REST API as the demo uses it: what any operator could do with curl, checked at the border. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Static, TSchema } from 'typebox';
import Value from 'typebox/value';
import { InstanceList, ServiceList, type ServiceView } from '../../proto/api.ts';
import { namespace } from './topology.ts';

/** No answer of a control plane on the same machine takes longer, unless it is dead. */
const timeoutMs = 5_000;

export interface PolicyDocument {
  readonly metadata: { readonly name: string };
  readonly [field: string]: unknown;
}

export class Api {
  readonly url: string;

  constructor(url: string) {
    this.url = url;
  }

  async isReady(): Promise<boolean> {
    try {
      const response = await fetch(`${this.url}/readyz`, { signal: AbortSignal.timeout(1_000) });
      await response.arrayBuffer();
      return response.ok;
    } catch {
      return false;
    }
  }

  async services(): Promise<ServiceView[]> {
    return (await this.get('/v1/services', ServiceList)).items;
  }

  async service(name: string): Promise<ServiceView | undefined> {
    return (await this.services()).find((service) => service.namespace === namespace && service.service === name);
  }

  async instances(): Promise<InstanceList['items']> {
    return (await this.get('/v1/instances', InstanceList)).items;
  }

  /** Creates the policy, or replaces it when it exists. */
  async apply(document: PolicyDocument): Promise<void> {
    const path = `/v1/namespaces/${namespace}/policies`;
    const created = await this.send('POST', path, document);
    if (created.ok) return;
    if (created.status !== 409) throw await refusal(`POST ${path}`, created);
    await this.replace(document);
  }

  /** Replaces the policy, whatever its present revision; answers performance.now() at the request and at the answer. */
  async replace(document: PolicyDocument): Promise<{ sentMs: number; answeredMs: number }> {
    const path = `/v1/namespaces/${namespace}/policies/${document.metadata.name}`;
    const current = await this.send('GET', path);
    if (!current.ok) throw await refusal(`GET ${path}`, current);
    await current.arrayBuffer();
    const sentMs = performance.now();
    const replaced = await this.send('PUT', path, document, { 'if-match': current.headers.get('etag') ?? '' });
    const answeredMs = performance.now();
    if (!replaced.ok) throw await refusal(`PUT ${path}`, replaced);
    await replaced.arrayBuffer();
    return { sentMs, answeredMs };
  }

  private async get<Type extends TSchema>(path: string, schema: Type): Promise<Static<Type>> {
    const response = await this.send('GET', path);
    if (!response.ok) throw await refusal(`GET ${path}`, response);
    const body: unknown = await response.json();
    return Value.Parse(schema, body);
  }

  private async send(
    method: string,
    path: string,
    body?: object,
    headers: Record<string, string> = {},
  ): Promise<Response> {
    return await fetch(`${this.url}${path}`, {
      method,
      headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(timeoutMs),
    });
  }
}

async function refusal(request: string, response: Response): Promise<Error> {
  return new Error(`${request} answered ${response.status}: ${(await response.text()).slice(0, 500)}`);
}

/** Asks until `question` answers something other than undefined or false; undefined when it did not in time. */
export async function poll<Answer>(
  question: () => Promise<Answer | undefined | false>,
  options: { readonly timeoutMs: number; readonly everyMs?: number },
): Promise<Answer | undefined> {
  const deadlineMs = performance.now() + options.timeoutMs;
  for (;;) {
    try {
      const answer = await question();
      if (answer !== undefined && answer !== false) return answer;
    } catch (error) {
      // A control plane that was killed on purpose refuses connections: asked again until the deadline.
      if (performance.now() >= deadlineMs) throw error;
    }
    if (performance.now() >= deadlineMs) return undefined;
    await sleep(options.everyMs ?? 20);
  }
}
