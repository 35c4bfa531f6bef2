/**
 * h2load as the load generator: its command line and what it prints. It reports no percentiles; those come from its
 * per-request log, whose writing costs it about a seventh of its speed, so that the log is taken in a run of its own.
 */
import { createReadStream } from 'node:fs';
import { Histogram } from '../../proto/kernel/histogram.ts';

export interface LoadResult {
  readonly requests: number;
  /** Requests that failed, or were answered with anything but 2xx. */
  readonly failures: number;
  readonly meanUs: number;
}

export interface H2loadRun {
  readonly port: number;
  readonly path: string;
  readonly connections: number;
  readonly streams: number;
  readonly seconds: number;
  readonly logFile?: string;
}

export function h2loadArguments(run: H2loadRun): string[] {
  return [
    `-c${run.connections}`,
    `-m${run.streams}`,
    `-D${run.seconds}`,
    ...(run.logFile === undefined ? [] : [`--log-file=${run.logFile}`]),
    // Not the port that is dialled: an outbound proxy routes by this name.
    '-H:authority: origin.bench',
    '-Hx-client-id: bench',
    `http://127.0.0.1:${run.port}${run.path}`,
  ];
}

export function parseH2load(output: string): LoadResult {
  const requests = /^requests: .* (\d+) done, .* (\d+) failed, (\d+) errored, (\d+) timeout$/m.exec(output);
  const codes = /^status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx$/m.exec(output);
  const times = /^time for request:\s+\S+\s+\S+\s+(\S+)/m.exec(output);
  if (requests === null || codes === null || times === null) {
    throw new Error(`h2load said something unexpected: ${output.trim().slice(-600)}`);
  }
  const failed = Number(requests[2]) + Number(requests[3]) + Number(requests[4]);
  return {
    requests: Number(requests[1]),
    failures: failed + Number(codes[2]) + Number(codes[3]) + Number(codes[4]),
    meanUs: parseTimeUs(times[1] ?? ''),
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
