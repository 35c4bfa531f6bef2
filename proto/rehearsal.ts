/**
 * What a sidecar answers to the command `rehearse`: what a policy would have done with the traffic that it recorded.
 * JSON in the reply, because only people read it; read tolerantly, since the sidecar may be of another version.
 */
import { isRecord } from './policy/problems.ts';

export interface RejectedOf {
  readonly requests: number;
  readonly rejected: number;
}

export interface Rehearsed extends RejectedOf {
  /** From the first recorded arrival to the last. */
  readonly seconds: number;
  readonly byReason: Readonly<Record<string, number>>;
  readonly byTier: Readonly<Record<string, RejectedOf>>;
  /** The worst first, at most 20. */
  readonly routes: readonly ({ readonly route: string } & RejectedOf)[];
  /** What was rejected when it was recorded. */
  readonly recordedRejected: number;
  readonly recordedByReason: Readonly<Record<string, number>>;
  /** What this does not tell. */
  readonly caveats: readonly string[];
}

/** Beyond these what a sidecar says is not believed to be meant. */
const entriesMax = 100;
const textMax = 300;

export function readRehearsed(value: unknown): Rehearsed | undefined {
  if (!isRecord(value) || typeof value.requests !== 'number') return undefined;
  const routes = Array.isArray(value.routes) ? value.routes.slice(0, entriesMax) : [];
  const caveats = Array.isArray(value.caveats) ? value.caveats.slice(0, entriesMax) : [];
  return {
    ...readTally(value),
    seconds: numberOf(value.seconds),
    byReason: readCounts(value.byReason),
    byTier: Object.fromEntries(entriesOf(value.byTier).map(([tier, tally]) => [tier, readTally(tally)])),
    routes: routes.map((one: unknown) => ({ route: textOf(isRecord(one) ? one.route : ''), ...readTally(one) })),
    recordedRejected: numberOf(value.recordedRejected),
    recordedByReason: readCounts(value.recordedByReason),
    caveats: caveats.map(textOf),
  };
}

function readTally(value: unknown): RejectedOf {
  const tally = isRecord(value) ? value : {};
  return { requests: numberOf(tally.requests), rejected: numberOf(tally.rejected) };
}

function readCounts(value: unknown): Record<string, number> {
  return Object.fromEntries(entriesOf(value).map(([name, count]) => [name, numberOf(count)]));
}

const entriesOf = (value: unknown): [string, unknown][] =>
  isRecord(value) ? Object.entries(value).slice(0, entriesMax) : [];
const textOf = (value: unknown): string => (typeof value === 'string' ? value.slice(0, textMax) : '');
const numberOf = (value: unknown): number =>
  typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : 0;
