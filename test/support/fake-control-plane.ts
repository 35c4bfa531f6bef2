/** A control plane as a fetch function, and a command run against it: what was written, what was sent, how it ended. */
import type { Context } from '../../control-plane/cli/context.ts';
import { run } from '../../control-plane/cli/run.ts';
import { isRecord, member } from '../../proto/policy/problems.ts';

export interface SentRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
}

type Answer = { status: number; body?: unknown; etag?: string };

export class FakeControlPlane {
  services: unknown[] = [];
  instances: unknown[] = [];
  readonly policies = new Map<string, { document: Record<string, unknown>; revision: number }>();
  readonly sent: SentRequest[] = [];
  /** Answers instead of the fake when it returns something; may throw, as a closed port does. */
  intercept: (request: SentRequest) => Answer | undefined = () => undefined;

  readonly fetch: typeof globalThis.fetch = async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input);
    const request: SentRequest = {
      method: init?.method ?? 'GET',
      path: url.pathname + url.search,
      headers: Object.fromEntries(new Headers(init?.headers)),
      body: typeof init?.body === 'string' ? JSON.parse(init.body) : undefined,
    };
    this.sent.push(request);
    const { status, body, etag } = this.intercept(request) ?? this.answer(request, url);
    const type = status >= 400 ? 'application/problem+json' : 'application/json';
    return new Response(body === undefined ? null : JSON.stringify(body), {
      status,
      headers: { 'content-type': type, ...(etag ? { etag } : {}) },
    });
  };

  private answer({ method, headers, body }: SentRequest, url: URL): Answer {
    if (url.pathname === '/v1/services') return { status: 200, body: { items: this.services } };
    if (url.pathname === '/v1/instances') return { status: 200, body: { items: this.instances } };
    if (url.pathname === '/v1/version') return { status: 200, body: { version: '9.9.9' } };
    if (url.pathname === '/v1/policies') {
      const namespace = url.searchParams.get('namespace');
      const all = [...this.policies].filter(([key]) => namespace === null || key.startsWith(`${namespace}/`));
      return { status: 200, body: { items: all.map(([, { document }]) => document) } };
    }
    const [, , , namespace, , name] = url.pathname.split('/');
    const key = `${namespace}/${name ?? String(member(member(body, 'metadata'), 'name'))}`;
    const present = this.policies.get(key);
    if (method !== 'POST' && !present) return { status: 404, body: { title: 'not found', status: 404 } };
    if (method === 'PUT' || method === 'DELETE') {
      if (headers['if-match'] !== `"${present?.revision}"`)
        return { status: 412, body: { title: 'stale', status: 412 } };
    }
    if (method === 'POST' && present) return { status: 409, body: { title: 'exists', status: 409 } };
    const dryRun = url.searchParams.get('dryRun') === 'All';
    if (method === 'DELETE') this.policies.delete(key);
    else if (method !== 'GET' && isRecord(body) && !dryRun) this.keep(key, body);
    const kept = this.policies.get(key);
    return { status: method === 'POST' ? 201 : 200, body: kept?.document ?? {}, etag: `"${kept?.revision}"` };
  }

  /** As the server keeps it: with its own metadata. */
  keep(key: string, document: Record<string, unknown>): void {
    const revision = (this.policies.get(key)?.revision ?? 0) + 1;
    const [namespace, name] = key.split('/');
    const metadata = isRecord(document.metadata) ? document.metadata : {};
    const server = {
      generation: revision,
      resourceVersion: String(revision),
      creationTimestamp: '2026-01-01T00:00:00Z',
    };
    this.policies.set(key, {
      revision,
      document: { ...document, metadata: { ...metadata, namespace, name, ...server } },
    });
  }
}

export interface RunOutcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunSettings {
  readonly files?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly tty?: boolean;
  readonly wallMs?: () => number;
  /** Called instead of sleeping; answers whether to interrupt. */
  readonly onSleep?: () => boolean;
}

/** Runs `weir <line>`; the line is split at blanks. */
export async function weir(
  api: { readonly fetch: typeof globalThis.fetch },
  line: string,
  settings: RunSettings = {},
): Promise<RunOutcome> {
  const written = { stdout: '', stderr: '' };
  const interruption = new AbortController();
  const output = (name: 'stdout' | 'stderr') => ({
    write: (text: string) => {
      written[name] += text;
    },
    isTTY: settings.tty ?? false,
  });
  const context: Context = {
    stdout: output('stdout'),
    stderr: output('stderr'),
    env: settings.env ?? {},
    fetch: api.fetch,
    readFile: async (path) => {
      const text = settings.files?.[path];
      if (text === undefined) throw new Error(`ENOENT: ${path}`);
      return text;
    },
    readStdin: async () => settings.stdin ?? '',
    wallMs: settings.wallMs ?? (() => Date.parse('2026-01-01T02:30:00Z')),
    sleep: async () => {
      if (settings.onSleep?.() ?? true) interruption.abort();
    },
    interrupted: interruption.signal,
  };
  const code = await run(line.split(' ').filter(Boolean), context);
  return { code, ...written };
}
