/**
 * Times of different sections that leave no room for each other: what takes longer than the request it is part of never
 * happens. Only times that somebody chose are compared, so that a policy stays valid with its defaults written out.
 */
import { parseDuration } from '../kernel/duration.ts';
import { errorsMax, type Finding, member, show } from './problems.ts';
import { InboundSpec } from './schema-inbound.ts';
import { OutboundSpec } from './schema-outbound.ts';

interface Pair {
  readonly longer: string;
  readonly shorter: string;
  /** What follows from it. */
  readonly why: string;
  /** To be as long is too long already. */
  readonly orEqual?: true;
  /** Where this section is written, the defaults count as well. */
  readonly defaultsIn?: string;
}

const inboundPairs: readonly Pair[] = [
  { longer: 'queue.waitMax', shorter: 'deadline.max', why: 'no request has so long to wait' },
  { longer: 'queue.codel.target', shorter: 'queue.waitMax', why: 'nobody waits so long' },
  { longer: 'flowControl.stallTimeout', shorter: 'deadline.max', why: 'the stream is over before' },
  { longer: 'concurrency.aimd.timeout', shorter: 'deadline.max', why: 'no answer takes so long' },
  {
    longer: 'levels.queueingMax',
    shorter: 'queue.waitMax',
    why: 'nobody waits so long',
    defaultsIn: 'levels',
  },
];

const outboundPairs: readonly Pair[] = [
  { longer: 'connectTimeout', shorter: 'timeout', why: 'the request is over before' },
  { longer: 'connectTimeout', shorter: 'perTryTimeout', why: 'the attempt is over before' },
  { longer: 'hedging.after', shorter: 'timeout', why: 'there is never a hedge', orEqual: true },
  { longer: 'hedging.after', shorter: 'perTryTimeout', why: 'the attempt is over before its hedge', orEqual: true },
  { longer: 'retries.backoff.base', shorter: 'timeout', why: 'the request is over before its retry' },
  { longer: 'circuitBreaker.slowCalls.slowerThan', shorter: 'perTryTimeout', why: 'nothing is ever slow' },
  { longer: 'flowControl.stallTimeout', shorter: 'timeout', why: 'the stream is over before' },
];

export function inboundTimes(inbound: unknown, pointer: string): Finding[] {
  return [
    ...inboundPairs.flatMap((pair) => clash(InboundSpec, inbound, pointer, pair)),
    ...turnsThatNeverCome(inbound, pointer),
  ];
}

export function outboundTimes(outbound: unknown, pointer: string): Finding[] {
  return outboundPairs.flatMap((pair) => clash(OutboundSpec, outbound, pointer, pair));
}

function clash(schema: unknown, side: unknown, pointer: string, pair: Pair): Finding[] {
  const countsDefaults = pair.defaultsIn !== undefined && member(side, pair.defaultsIn) !== undefined;
  const [standardLonger, standardShorter] = [defaultAt(schema, pair.longer), defaultAt(schema, pair.shorter)];
  const longer = at(side, pair.longer) ?? (countsDefaults ? standardLonger : undefined);
  const shorter = at(side, pair.shorter) ?? (countsDefaults ? standardShorter : undefined);
  if (!countsDefaults && longer === standardLonger) return [];
  const [longerMs, shorterMs] = [milliseconds(longer), milliseconds(shorter)];
  if (longerMs === undefined || shorterMs === undefined) return [];
  if (longerMs < shorterMs || (longerMs === shorterMs && pair.orEqual === undefined)) return [];
  const message = `${pair.longer} ${show(longer)} is ${pair.orEqual ? 'not shorter' : 'longer'} than ${pair.shorter} ${show(shorter)}: ${pair.why}`;
  // Where the longer one is not written, the section stands for it.
  const where = at(side, pair.longer) === undefined ? (pair.defaultsIn ?? '') : pair.longer;
  return [{ pointer: `${pointer}/${where.replaceAll('.', '/')}`, message }];
}

/** At leaky buckets. */
function turnsThatNeverCome(inbound: unknown, pointer: string): Finding[] {
  const limits = member(inbound, 'rateLimits');
  const max = at(inbound, 'deadline.max');
  const maxMs = milliseconds(max);
  if (!Array.isArray(limits) || maxMs === undefined) return [];
  return limits.slice(0, errorsMax).flatMap((limit, index) => {
    const waitMax = at(limit, 'algorithm.leakyBucket.waitMax');
    const waitMs = milliseconds(waitMax);
    if (waitMs === undefined || waitMs <= maxMs) return [];
    const message = `waitMax ${show(waitMax)} is longer than deadline.max ${show(max)}: no request has so long to wait`;
    return [{ pointer: `${pointer}/rateLimits/${index}/algorithm/leakyBucket/waitMax`, message }];
  });
}

function defaultAt(schema: unknown, path: string): unknown {
  return member(at(schema, `properties.${path.replaceAll('.', '.properties.')}`), 'default');
}

function at(side: unknown, path: string): unknown {
  return path.split('.').reduce(member, side);
}

function milliseconds(text: unknown): number | undefined {
  return typeof text === 'string' && text.length <= 64 ? parseDuration(text) : undefined;
}
