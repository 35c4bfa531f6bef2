/** What the steps of the check look through: windows over the load, outcomes by caller, acks and verdicts on NATS. */
import { setTimeout as sleep } from 'node:timers/promises';
import { poll } from './api.ts';
import type { FleetWatch, VerdictSeen } from './fleet-watch.ts';
import type { Load } from './load.ts';
import { type DemoMesh, readPolicies } from './mesh.ts';
import type { Outcome, Tally } from './tally.ts';
import { namespace } from './topology.ts';

export const payments = `${namespace}/payments`;

export interface CheckContext {
  readonly mesh: DemoMesh;
  readonly load: Load;
  readonly watch: FleetWatch;
  readonly signal: AbortSignal;
  /** Policy changes so far, so that each is a real one. */
  readonly changes: { count: number };
}

export interface Figures {
  policyPushMs?: number;
  fleetOpenMs?: number;
  goodputRatio?: number;
  goodputRatioWithout?: number;
}

/** The step did not show what it must; what it measured so far still counts. */
export class Failure extends Error {
  readonly notes: readonly string[];
  readonly figures: Figures;

  constructor(message: string, notes: readonly string[] = [], figures: Figures = {}) {
    super(message);
    this.notes = notes;
    this.figures = figures;
  }
}

/** What happened on both sides, with Weir first, for so long from now. */
export async function window(
  load: Load,
  forMs: number,
  signal: AbortSignal,
): Promise<[withWeir: Tally, without: Tally]> {
  const withWeir = load.watch('with');
  const without = load.watch('without');
  await pause(forMs, signal);
  load.unwatch(withWeir);
  load.unwatch(without);
  return [withWeir, without];
}

export async function pause(forMs: number, signal: AbortSignal): Promise<void> {
  await sleep(forMs, undefined, { signal });
}

/** Follows the callers of payments on the side with Weir, one by one. */
export class CallerWatch {
  /** When the first failed call had been sent. */
  firstFailureMs: number | undefined;
  failures = 0;
  /** Callers that have seen a call fail. */
  readonly failing = new Set<number>();
  /** Callers that refused, or got an answer, since the last restart(). */
  readonly refusing = new Set<number>();
  readonly answering = new Set<number>();
  readonly close: () => void;

  constructor(load: Load) {
    this.close = load.observe((side, outcome) => {
      if (side === 'with' && outcome.method === 'Place') this.see(outcome);
    });
  }

  restart(): void {
    this.refusing.clear();
    this.answering.clear();
  }

  private see(outcome: Outcome): void {
    if (outcome.kind === 'failed') {
      this.failures++;
      this.failing.add(outcome.caller);
      this.firstFailureMs = Math.min(outcome.startMs, this.firstFailureMs ?? outcome.startMs);
    } else if (outcome.kind === 'good') this.answering.add(outcome.caller);
    else if (outcome.reason === 'breaker_open' || outcome.reason === 'fleet_breaker_open')
      this.refusing.add(outcome.caller);
  }
}

/** The next verdict that opens the breaker of payments; undefined when none comes in time. */
export async function openVerdict(watch: FleetWatch, timeoutMs: number): Promise<VerdictSeen | undefined> {
  return await new Promise((resolve) => {
    const settle = (verdict: VerdictSeen | undefined): void => {
      clearTimeout(timer);
      close();
      resolve(verdict);
    };
    const timer = setTimeout(() => settle(undefined), timeoutMs);
    const close = watch.onVerdict((verdict) => {
      if (verdict.state === 'open') settle(verdict);
    });
  });
}

/**
 * One request through a caller that has been silent, a moment after the verdict was seen here: it travels to the
 * sidecar as it does to us, and asking too early would make this caller see the failure for itself.
 */
export async function firstRefusalOf(caller: number, load: Load): Promise<Outcome> {
  await sleep(10);
  return await load.once('with', caller);
}

export async function isClosedEverywhere(mesh: DemoMesh): Promise<boolean> {
  const breakers = (await mesh.api.instances()).flatMap((instance) =>
    instance.breakers.filter(({ target }) => target === payments),
  );
  return breakers.length > 0 && breakers.every(({ local, fleet }) => local === 'closed' && fleet === 'closed');
}

export async function liveInstances(mesh: DemoMesh): Promise<number> {
  return (await mesh.api.instances()).filter(({ state }) => state === 'live').length;
}

export interface Push {
  /** From the API's answer, and from the request, to the last ack. */
  readonly ms: number;
  readonly fromRequestMs: number;
  readonly sidecars: number;
}

/** Replaces the policy of payments by one with another queue wait, and waits for the ack of every sidecar it is for. */
export async function pushPolicy({ mesh, watch, changes }: CheckContext, timeoutMs: number): Promise<Push> {
  changes.count++;
  const [document] = readPolicies('payments.yaml', (source) =>
    source.replace('waitMax: 150ms', `waitMax: ${150 + changes.count}ms`),
  );
  if (document === undefined) throw new Error('payments.yaml is empty');
  const applied = (await mesh.api.instances()).flatMap(({ instance, policies }) =>
    policies.filter(({ target }) => target === payments).map(({ version }) => ({ instance, version })),
  );
  const aboveVersion = Math.max(0, ...applied.map(({ version }) => version));
  const instances = applied.map(({ instance }) => instance);
  const { sentMs, answeredMs } = await mesh.api.replace(document);
  const lastMs = await poll(async () => watch.lastAckMs({ target: payments, aboveVersion, instances }), {
    timeoutMs,
    everyMs: 5,
  });
  if (lastMs === undefined || instances.length === 0) {
    throw new Failure(`not every one of ${instances.length} sidecars acknowledged a version above ${aboveVersion}`);
  }
  return {
    // The last ack may well be here before the API has answered.
    ms: Math.max(0, lastMs - answeredMs),
    fromRequestMs: lastMs - sentMs,
    sidecars: instances.length,
  };
}

/**
 * Nothing failed that had not been broken, nothing was refused but for load, and most answers came in time. How many do
 * is the machine's affair: on a busy one a request may be late, but it may not fail.
 */
export function isHealthy(tally: Tally): boolean {
  const forLoad = ['queue_full', 'queue_timeout'].reduce(
    (sum, reason) => sum + (tally.refusedByReason.get(reason) ?? 0),
    0,
  );
  const lost = tally.failed + tally.refused - forLoad;
  return tally.answered > 0 && lost <= 0.02 * tally.answered && tally.good >= 0.75 * tally.answered;
}

export function describe(tally: Tally): string {
  const parts = [`${tally.good} of ${tally.answered} in time`];
  const p99 = tally.quantileMs(0.99);
  if (!Number.isNaN(p99)) parts.push(`p99 ${p99.toFixed(0)} ms`);
  for (const [reason, count] of tally.refusedByReason) parts.push(`${reason} ${count}`);
  if (tally.late > 0) parts.push(`too late ${tally.late}`);
  for (const [reason, count] of tally.failedByReason) parts.push(`failed ${reason} ${count}`);
  return parts.join(', ');
}

export function round(value: number, digits = 1): number {
  return Number(value.toFixed(digits));
}

export function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`;
}
