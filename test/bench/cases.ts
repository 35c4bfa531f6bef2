/** What is measured: each case is a shape of traffic, the same for every proxy. */

export interface Case {
  readonly name: string;
  readonly summary: string;
  readonly connections: number;
  readonly streams: number;
  readonly load: Load;
}

/** `file`: h2load repeats one GET of a static file of nghttpd; `unique`: unique-generator.ts against frame-origin.ts. */
export type Load = { readonly kind: 'file'; readonly path: string } | { readonly kind: 'unique' };

export const staticFiles = [
  { name: 'b100', bytes: 100 },
  { name: 'b10k', bytes: 10_240 },
] as const;

const small: Load = { kind: 'file', path: '/b100' };

export const cases: readonly Case[] = [
  {
    name: 'unary-10x20',
    summary: '100-byte GET, 10 connections × 20 streams',
    connections: 10,
    streams: 20,
    load: small,
  },
  { name: 'unary-50x1', summary: '100-byte GET, 50 connections × 1 stream', connections: 50, streams: 1, load: small },
  { name: 'unary-1x1', summary: '100-byte GET, 1 connection × 1 stream', connections: 1, streams: 1, load: small },
  {
    name: 'body10k-4x10',
    summary: '10 KiB GET, 4 connections × 10 streams',
    connections: 4,
    streams: 10,
    load: { kind: 'file', path: '/b10k' },
  },
  {
    name: 'unary-unique-headers',
    summary: '100-byte GET, 10 × 20, every :path, grpc-timeout and traceparent another',
    connections: 10,
    streams: 20,
    load: { kind: 'unique' },
  },
];

/** Start-up time and memory at rest: no load, so no part of the JSON cases. */
export const idleCase = 'idle';
