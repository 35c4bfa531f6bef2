/**
 * A scenario is data: services, callers, load over time, what goes wrong when, and what is measured against which
 * target. It knows nothing of how it is run, so that a simulation and a live rig run the same one.
 */
import type { Recording } from './recording.ts';

/** Times in experiments are ms from its begin. */
export interface Load {
  readonly fromMs: number;
  readonly rps: number;
}

/** One kind of request among those that a caller sends. */
export interface RequestKind {
  /** `/package.Service/Method` */
  readonly path: string;
  /** Relative to the other kinds'. Default 1. */
  readonly share?: number;
  readonly headers?: readonly (readonly [name: string, value: string])[];
}

/** Open loop: requests come when they come (Poisson), whether or not the earlier ones are answered. */
export interface CallerSpec {
  readonly name: string;
  /** The service that it calls. */
  readonly service: string;
  readonly load: readonly Load[];
  /** Of each attempt; it goes along as grpc-timeout, and the caller cancels when it has passed. */
  readonly timeoutMs: number;
  /** Made by the client itself, at once or when the pushback says; not Weir's. */
  readonly retriesMax?: number;
  /** An answer later than this is no good any more; default: timeoutMs × (1 + retriesMax). */
  readonly deadlineMs?: number;
  readonly kinds?: readonly RequestKind[];
  /** Sidecars beside the callers, among which requests are spread; 0: callers know no Weir. Default 0. */
  readonly sidecars?: number;
}

/** Later than this after it was asked, an answer is no good. */
export function wholeDeadlineMs({ timeoutMs, retriesMax = 0, deadlineMs }: CallerSpec): number {
  return deadlineMs ?? timeoutMs * (1 + retriesMax);
}

/** What befalls an app, or one route of it. */
export interface Change {
  readonly atMs: number;
  /** 1 = as built, 0.5 = half as fast, 0 = it stands still and answers nothing. */
  readonly speed?: number;
  /** Of what it begins from then on. */
  readonly serviceMs?: number;
  /** It answers UNAVAILABLE at once. */
  readonly failing?: boolean;
}

export interface RouteSpec {
  readonly path: string;
  readonly serviceMs: number;
  readonly changes?: readonly Change[];
}

/** Workers that take requests first come, first served, from a queue without bounds. */
export interface AppSpec {
  readonly workers: number;
  readonly serviceMs: number;
  readonly service: 'exponential' | 'lognormal' | 'constant';
  /** Whether it stops working on what is cancelled; most apps do not. */
  readonly heedsCancel?: boolean;
  readonly changes?: readonly Change[];
  readonly routes?: readonly RouteSpec[];
  /** What it asks of another service, all at once, after its own work and without holding a worker. */
  readonly calls?: { readonly service: string; readonly count: number };
}

export interface ServiceSpec {
  readonly name: string;
  /** One entry per replica. */
  readonly replicas: readonly AppSpec[];
}

export interface Experiment {
  readonly durationMs: number;
  readonly services: readonly ServiceSpec[];
  readonly callers: readonly CallerSpec[];
  /** One way, between machines. Default 0.2. */
  readonly hopMs?: number;
}

export interface Case {
  readonly name: string;
  readonly experiment: Experiment;
}

export interface Target {
  readonly atLeast?: number;
  readonly atMost?: number;
}

/** Of one seed, by case name. */
export type Recordings = ReadonlyMap<string, Recording>;

export interface Metric {
  readonly name: string;
  readonly unit: '' | '%' | 'ms' | 's' | '×' | 'µs';
  /** null: shown, and judged by nobody. */
  readonly target: Target | null;
  /** What counts of several seeds. Default median. */
  readonly over?: 'median' | 'worst';
  /** NaN: it never came, or is not to be had. */
  readonly of: (recordings: Recordings) => number;
}

/** How long it may take: `full` for results, `short` for regression tests. */
export type Size = 'full' | 'short';

/** Inbound and outbound of a TrafficPolicy, not yet parsed. */
export interface PolicyParts {
  readonly inbound?: Readonly<Record<string, unknown>>;
  readonly outbound?: Readonly<Record<string, unknown>>;
  readonly routes?: readonly unknown[];
}

export interface Plot {
  readonly file: string;
  readonly title: string;
  readonly x: string;
  readonly y: string;
  readonly points: (recordings: Recordings) => readonly (readonly [x: number, y: number])[];
  readonly logX?: boolean;
}

/** A curve of one policy. */
export interface Series {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface Scenario {
  readonly id: number;
  readonly title: string;
  cases(size: Size): readonly Case[];
  readonly metrics: readonly Metric[];
  /** By name, beside Weir's own. */
  readonly baselines: readonly string[];
  /** What a user who cares for this scenario adds to Weir's default policy, piece by piece; by service. */
  readonly additions?: Readonly<Record<string, readonly PolicyParts[]>>;
  readonly seedsMax?: number;
  readonly plots?: readonly Plot[];
}

/** Runs experiments: simulated or live. */
export interface Rig {
  readonly live: boolean;
  run(experiment: Experiment, policies: ReadonlyMap<string, PolicyParts>, seed: number): Promise<Recording> | Recording;
}
