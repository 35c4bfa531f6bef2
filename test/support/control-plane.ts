/** A control plane in this process, on real sockets and a real nats-server, with small ways to speak to it. */
import { readFileSync } from 'node:fs';
import { type ControlPlane, startControlPlane } from '../../control-plane/app.ts';
import { checkConfig, controlPlaneOptions } from '../../control-plane/config.ts';
import type { FleetSnapshot } from '../../proto/api.ts';
import { createLog, type Log } from '../../proto/kernel/log-format.ts';
import { parseOptions } from '../../proto/kernel/options.ts';
import { tempDir } from './temp-dir.ts';
import { until } from './until.ts';

export interface ApiAnswer {
  readonly status: number;
  readonly headers: Headers;
  /** Parsed JSON; anything may be asked of it, a test fails when it is not there. */
  readonly body: unknown;
}

export interface TestControlPlane extends ControlPlane {
  readonly logged: readonly { readonly msg: string; readonly fields?: unknown }[];
  /** Shown when there was no admin. */
  readonly firstTokens: readonly string[];
  ask(method: string, path: string, options?: AskOptions): Promise<ApiAnswer>;
  isReady(): Promise<void>;
}

export interface AskOptions {
  readonly body?: unknown;
  readonly text?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export async function startTestControlPlane(
  natsUrl: string,
  options: { argv?: readonly string[]; apiToken?: string; dashboardFolder?: string } = {},
): Promise<TestControlPlane> {
  const argv = ['--listen', '127.0.0.1:0', '--nats', natsUrl, ...(options.argv ?? [])];
  const parsed = parseOptions(controlPlaneOptions, { argv, env: {} });
  if (!parsed.ok || parsed.help) throw new Error(`bad options: ${JSON.stringify(parsed)}`);
  const { metricsTokenFile } = parsed.values;
  const metricsToken = metricsTokenFile === undefined ? undefined : readFileSync(metricsTokenFile, 'utf8').trim();
  const checked = checkConfig(parsed.values, { apiToken: options.apiToken, metricsToken });
  if (!checked.ok) throw new Error(checked.errors.join('; '));
  const firstTokens: string[] = [];
  const logged: { msg: string; fields?: unknown }[] = [];
  const log: Log = createLog('debug', ({ msg, fields }) => logged.push({ msg, fields }));
  const dashboardFolder = options.dashboardFolder ?? tempDir('dashboard').path;
  const started = await startControlPlane({
    config: checked.config,
    log,
    dashboardFolder,
    version: 'test',
    onFirstToken: (token) => void firstTokens.push(token),
  });
  const { url } = started;
  const ask: TestControlPlane['ask'] = async (method, path, { body, text, headers = {} } = {}) => {
    const payload = text ?? (body === undefined ? undefined : JSON.stringify(body));
    const response = await fetch(url + path, {
      method,
      headers: { ...(payload === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(payload === undefined ? {} : { body: payload }),
      signal: AbortSignal.timeout(10_000),
    });
    const answer = await response.text();
    const isJson = response.headers.get('content-type')?.includes('json') === true;
    return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(answer) : answer };
  };
  return {
    ...started,
    logged,
    firstTokens,
    ask,
    async isReady() {
      await until(async () => (await ask('GET', '/readyz')).status === 200, {
        what: 'the control plane is ready',
        timeoutMs: 10_000,
      });
    },
  };
}

/** Reads the snapshots of `/v1/events` as they come. */
export async function watchFleet(url: string, headers: Record<string, string> = {}) {
  const abort = new AbortController();
  const response = await fetch(`${url}/v1/events`, { headers, signal: abort.signal });
  const snapshots: FleetSnapshot[] = [];
  const read = async (): Promise<void> => {
    let rest = '';
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) {
      rest += decoder.decode(chunk, { stream: true });
      const events = rest.split('\n\n');
      rest = events.pop() ?? '';
      for (const event of events) {
        const data = /^event: fleet\ndata: (.*)$/m.exec(event)?.[1];
        if (data !== undefined) snapshots.push(JSON.parse(data));
      }
    }
  };
  const ended = read().catch(() => {});
  return {
    status: response.status,
    snapshots,
    ended,
    async close() {
      abort.abort();
      await ended;
    },
  };
}
