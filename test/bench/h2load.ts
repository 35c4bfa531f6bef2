/**
 * h2load as the load generator: its command line and what it prints. It reports no percentiles; those come from its
 * per-request log, whose writing costs it about a seventh of its speed, so that the log is taken in a run of its own.
 */
import { createReadStream } from 'node:fs';
import { Histogram } from '../../proto/kernel/histogram.ts';

export interface LoadResult {
  /** Answered 2xx. */
  readonly requests: number;
  /** Answered 429. */
  readonly refusals: number;
  /** Requests that failed, or were answered with anything else. */
  readonly failures: number;
  readonly meanUs: number;
  /** Content received. */
  readonly bytes: number;
}

export interface H2loadRun {
  readonly port: number;
  readonly path: string;
  readonly connections: number;
  readonly streams: number;
  readonly tls: boolean;
  readonly amount: { readonly seconds: number } | { readonly requests: number };
  readonly logFile?: string;
}

export function h2loadArguments(run: H2loadRun): string[] {
  return [
    `-c${run.connections}`,
    `-m${run.streams}`,
    'seconds' in run.amount ? `-D${run.amount.seconds}` : `-n${run.amount.requests}`,
    ...(run.logFile === undefined ? [] : [`--log-file=${run.logFile}`]),
    // Not the port that is dialled: an outbound proxy routes by this name.
    '-H:authority: origin.bench',
    '-Hx-client-id: bench',
    `${run.tls ? 'https' : 'http'}://127.0.0.1:${run.port}${run.path}`,
  ];
}

export function parseH2load(output: string): LoadResult {
  const requests = /^requests: .* (\d+) done, .* (\d+) failed, (\d+) errored, (\d+) timeout$/m.exec(output);
  const codes = /^status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx$/m.exec(output);
  const traffic = /^traffic: .* \((\d+)\) data$/m.exec(output);
  const times = /^time for request:\s+\S+\s+\S+\s+(\S+)/m.exec(output);
  if (requests === null || codes === null || traffic === null || times === null) {
    throw new Error(`h2load said something unexpected: ${output.trim().slice(-600)}`);
  }
  const [failed, errored, timeout] = [requests[2], requests[3], requests[4]].map(Number);
  const [success, redirection, refusals, server] = codes.slice(1).map(Number);
  // `failed` counts 4xx, 5xx, and what never got a status; the latter twice, as `errored` or `timeout` too.
  const unanswered = Math.max(0, failed! - refusals! - server!, errored! + timeout!);
  return {
    requests: success!,
    refusals: refusals!,
    failures: redirection! + server! + unanswered,
    meanUs: parseTimeUs(times[1] ?? ''),
    bytes: Number(traffic[1]),
  };
}

/** `444us`, `1.31ms`, `2.00s`. */
export function parseTimeUs(text: string): number {
  const match = /^([0-9.]+)(us|ms|s)$/.exec(text);
  if (match === null) return Number.NaN;
  const factor = match[2] === 'us' ? 1 : match[2] === 'ms' ? 1_000 : 1_000_000;
  return Number(match[1]) * factor;
}

/** The 99th percentile, in µs, of a log with lines of `start <tab> status <tab> duration in µs`. */
export async function readLogP99Us(file: string): Promise<number> {
  const histogram = new Histogram();
  let partial = '';
  for await (const chunk of createReadStream(file, { encoding: 'utf8', highWaterMark: 1 << 20 })) {
    const lines = `${partial}${chunk}`.split('\n');
    partial = lines.pop() ?? '';
    for (const line of lines) histogram.record(Number(line.slice(line.lastIndexOf('\t') + 1)) / 1000);
  }
  return histogram.quantileMs(0.99) * 1000;
}
