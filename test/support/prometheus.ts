/** Debian's prometheus and promtool, where they are; tests that need them are counted as skipped elsewhere. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { guardChild } from '../../control-plane/cli/child-guard.ts';
import { freePort } from '../bench/children.ts';
import { findTool } from '../bench/tools.ts';
import { until } from './until.ts';

export const promtool = findTool('promtool');
export const prometheus = findTool('prometheus');

export interface ToolResult {
  readonly ok: boolean;
  readonly output: string;
}

/** Runs promtool on files, by name and content, in a folder of their own. */
export function runPromtool(args: readonly string[], files: Readonly<Record<string, string>>): ToolResult {
  const folder = mkdtempSync(join(tmpdir(), 'weir-promtool-'));
  try {
    for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
    const run = spawnSync(promtool ?? 'promtool', [...args], { cwd: folder, encoding: 'utf8', timeout: 30_000 });
    return { ok: run.status === 0, output: `${run.stdout}${run.stderr}` };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export interface RunningPrometheus {
  /** The values of an instant query, by their labels as JSON. */
  query(
    expr: string,
  ): Promise<readonly { readonly labels: Readonly<Record<string, string>>; readonly value: number }[]>;
  stop(): Promise<void>;
}

/** Scrapes every 200 ms and evaluates the rules as often. */
export async function startPrometheus(targets: readonly string[], rules: string): Promise<RunningPrometheus> {
  const folder = mkdtempSync(join(tmpdir(), 'weir-prometheus-'));
  const config = {
    global: { scrape_interval: '200ms', scrape_timeout: '200ms', evaluation_interval: '200ms' },
    rule_files: ['rules.yaml'],
    scrape_configs: [{ job_name: 'weir', static_configs: [{ targets }] }],
  };
  writeFileSync(join(folder, 'prometheus.yaml'), JSON.stringify(config));
  writeFileSync(join(folder, 'rules.yaml'), rules);
  const port = await freePort();
  const child = spawn(
    prometheus ?? 'prometheus',
    [
      `--config.file=${join(folder, 'prometheus.yaml')}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--log.level=error',
    ],
    { stdio: ['pipe', 'ignore', 'pipe'], detached: true },
  );
  guardChild(child);
  let complaint = '';
  child.stderr.on('data', (text: Buffer) => {
    complaint = `${complaint}${text.toString()}`.slice(-2000);
  });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const base = `http://127.0.0.1:${port}`;
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await exited;
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await until(async () => (await get(`${base}/-/ready`)) !== undefined, {
      what: 'prometheus is ready',
      timeoutMs: 20_000,
    });
  } catch (error) {
    await stop();
    throw new Error(`${String(error)}: ${complaint}`, { cause: error });
  }
  return {
    async query(expr) {
      const text = await get(`${base}/api/v1/query?query=${encodeURIComponent(expr)}`);
      return text === undefined ? [] : resultsOf(JSON.parse(text));
    },
    stop,
  };
}

async function get(url: string): Promise<string | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(5000) });
    return response.ok ? await response.text() : undefined;
  } catch {
    return undefined;
  }
}

function resultsOf(answer: {
  data?: { result?: { metric: Record<string, string>; value: [number, string] }[] };
}): { labels: Record<string, string>; value: number }[] {
  return (answer.data?.result ?? []).map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }));
}
