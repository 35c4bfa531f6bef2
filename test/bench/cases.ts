/** What is measured: each case is a shape of traffic, or a question of another kind, the same for every proxy. */
import type { Setting } from './config-template.ts';
import type { FigureName } from './figures.ts';

export interface Case {
  readonly name: string;
  readonly summary: string;
  /** Takes long: only by name, or with --all. */
  readonly heavy?: true;
}

/** A generator keeps `connections` × `streams` requests under way for as long as a round takes. */
export interface LoadCase extends Case {
  readonly connections: number;
  readonly streams: number;
  readonly load: Load;
  readonly setting: Setting;
  readonly columns: readonly FigureName[];
  /** Seconds of warm-up it needs at least, and of a round: h2load's clock runs while connections are still made. */
  readonly secondsMin: number;
}

/**
 * `file`: h2load repeats one GET of a static file of nghttpd. `unique`: frame-generator.ts against frame-origin.ts, no
 * two requests alike, as fast as it goes or at a fixed rate. `grpc-js` and `grpc-go`: unary calls of a real client.
 */
export type Load =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'unique'; readonly rps: number | null }
  | { readonly kind: 'grpc-js' | 'grpc-go' };

export const staticFiles = [
  { name: 'b100', bytes: 100 },
  { name: 'b10k', bytes: 10_240 },
  { name: 'b1m', bytes: 1024 * 1024 },
  { name: 'b8m', bytes: 8 * 1024 * 1024 },
] as const;

const small: Load = { kind: 'file', path: '/b100' };
const plain = { tls: false, refuses: false };
const perRequest: readonly FigureName[] = ['cpuUsPerRequest', 'rps', 'meanUs', 'p99Us', 'rssMb'];
const perMegabyte: readonly FigureName[] = ['cpuUsPerMb', 'mbPerS', 'rssMb'];

/** At a fixed rate a program would take minutes until it is compiled: it is warmed up by the same load, unbounded. */
export function warmUpOf(bench: LoadCase): LoadCase {
  return bench.load.kind === 'unique' ? { ...bench, load: { kind: 'unique', rps: null }, streams: 20 } : bench;
}

function load(
  name: string,
  summary: string,
  shape: { readonly connections: number; readonly streams: number; readonly load: Load; readonly heavy?: true },
  rest: {
    readonly setting?: Partial<Setting>;
    readonly columns?: readonly FigureName[];
    readonly secondsMin?: number;
  } = {},
): LoadCase {
  return {
    ...{ name, summary, ...shape },
    setting: { ...plain, ...rest.setting },
    columns: rest.columns ?? perRequest,
    secondsMin: rest.secondsMin ?? 1,
  };
}

export const loadCases: readonly LoadCase[] = [
  load('unary-10x20', '100-byte GET, 10 connections × 20 streams', { connections: 10, streams: 20, load: small }),
  load('unary-50x1', '100-byte GET, 50 connections × 1 stream', { connections: 50, streams: 1, load: small }),
  load('unary-1x1', '100-byte GET, 1 connection × 1 stream', { connections: 1, streams: 1, load: small }),
  load('body10k-4x10', '10 KiB GET, 4 connections × 10 streams', {
    connections: 4,
    streams: 10,
    load: { kind: 'file', path: '/b10k' },
  }),
  load('unary-unique-headers', '100-byte GET, 10 × 20, every :path, grpc-timeout and traceparent another', {
    connections: 10,
    streams: 20,
    load: { kind: 'unique', rps: null },
  }),
  load(
    'tls-unary-10x20',
    'unary-10x20 over TLS, in the clear to the origin',
    { connections: 10, streams: 20, load: small },
    { setting: { tls: true } },
  ),
  load(
    'tls-body10k-4x10',
    'body10k-4x10 over TLS, in the clear to the origin',
    { connections: 4, streams: 10, load: { kind: 'file', path: '/b10k' } },
    { setting: { tls: true } },
  ),
  load('fixed-1000rps', 'unique headers at 1,000 requests/s, 10 connections', {
    connections: 10,
    streams: 100,
    load: { kind: 'unique', rps: 1000 },
  }),
  load(
    'rejections',
    'unary-10x20, all refused by the rate limit; a request is a rejection here',
    { connections: 10, streams: 20, load: small },
    { setting: { refuses: true } },
  ),
  load(
    'server-streaming',
    'answers of 8 MiB, 4 connections × 4 streams',
    { connections: 4, streams: 4, load: { kind: 'file', path: '/b8m' } },
    { columns: perMegabyte },
  ),
  load(
    'connections-1000',
    '100-byte GET, 1,000 connections × 10 streams',
    { connections: 1000, streams: 10, load: small, heavy: true },
    { secondsMin: 4 },
  ),
  load('fixed-5000rps', 'unique headers at 5,000 requests/s, 10 connections', {
    connections: 10,
    streams: 100,
    load: { kind: 'unique', rps: 5000 },
    heavy: true,
  }),
  load('grpc-js-unary', '100-byte unary calls by @grpc/grpc-js, 4 channels × 25 calls', {
    connections: 4,
    streams: 25,
    load: { kind: 'grpc-js' },
    heavy: true,
  }),
  load('grpc-go-unary', '100-byte unary calls by grpc-go, 4 channels × 25 calls', {
    connections: 4,
    streams: 25,
    load: { kind: 'grpc-go' },
    heavy: true,
  }),
];

export const startCase: Case = {
  name: 'start',
  summary: 'ms from spawn until it listens, answers a preface, logs `listening`; memory and CPU at rest',
};
export const millionCase: Case = {
  name: 'million',
  summary: 'memory before and after a million requests, 10 × 20',
  heavy: true,
};
export const heldStreamsCase: Case = {
  name: 'held-streams',
  summary: 'memory with 1,000 connections × 10 requests under way at an origin that does not answer',
  heavy: true,
};
export const slowReadersCase: Case = {
  name: 'slow-readers-5000',
  summary: '5,000 readers of 1 MiB at 4 KiB/s each, 250 connections; what they cost in memory, and others in time',
  heavy: true,
};

/** In the order they run. */
export const allCases: readonly Case[] = [startCase, ...loadCases, heldStreamsCase, millionCase, slowReadersCase];
export const defaultCases = allCases.filter(({ heavy }) => heavy !== true);
