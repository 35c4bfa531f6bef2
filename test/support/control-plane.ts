/** A control plane in this process, on real sockets and a real nats-server, with small ways to speak to it. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll } from 'vitest';
import { type ControlPlane, startControlPlane } from '../../control-plane/app.ts';
import { checkConfig, controlPlaneOptions } from '../../control-plane/config.ts';
import type { FleetSnapshot } from '../../proto/api.ts';
import { createLog, type Log } from '../../proto/kernel/log-format.ts';
import { parseOptions } from '../../proto/kernel/options.ts';
import { startNatsServer, type TestNatsServer } from './nats-server.ts';
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

/** Follows server-sent events as they come, each with its type and its data. */
export async function followEvents(
  url: string,
  onEvent: (type: string, data: string) => void,
  headers: Record<string, string> = {},
) {
  const abort = new AbortController();
  const response = await fetch(url, { headers, signal: abort.signal });
  const read = async (): Promise<void> => {
    let rest = '';
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) {
      rest += decoder.decode(chunk, { stream: true });
      const events = rest.split('\n\n');
      rest = events.pop() ?? '';
      for (const event of events) {
        const [, type = '', data = ''] = /^event: (\w+)\ndata: (.*)$/m.exec(event) ?? [];
        if (type !== '') onEvent(type, data);
      }
    }
  };
  const ended = read().catch(() => {});
  return {
    status: response.status,
    ended,
    async close() {
      abort.abort();
      await ended;
    },
  };
}

/** Reads the snapshots of `/v1/events` as they come. */
export async function watchFleet(url: string, headers: Record<string, string> = {}) {
  const snapshots: FleetSnapshot[] = [];
  const onEvent = (type: string, data: string): void => {
    if (type === 'fleet') snapshots.push(JSON.parse(data));
  };
  return { ...(await followEvents(`${url}/v1/events`, onEvent, headers)), snapshots };
}

/** A control plane and its nats-server for all tests of a file. */
export function controlPlaneForAll(): { readonly nats: TestNatsServer; readonly controlPlane: TestControlPlane } {
  let running: { nats: TestNatsServer; controlPlane: TestControlPlane } | undefined;
  const present = () => {
    if (running === undefined) throw new Error('the tests have not begun');
    return running;
  };
  beforeAll(async () => {
    const nats = await startNatsServer();
    running = { nats, controlPlane: await startTestControlPlane(nats.url) };
    await running.controlPlane.isReady();
  });
  afterAll(async () => {
    await running?.controlPlane.close();
    await running?.nats.stop();
  });
  return {
    get nats() {
      return present().nats;
    },
    get controlPlane() {
      return present().controlPlane;
    },
  };
}
