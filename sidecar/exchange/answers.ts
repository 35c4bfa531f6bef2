/**
 * The one road of every refusal: reason → row of the table in proto/reasons.ts → HTTP or gRPC answer with its pushback.
 * Answers are built once and kept: under overload a refusal must cost next to nothing, so waits are rounded to two
 * significant digits, which bounds how many different answers there are.
 */
import { type ReasonRow, reasonTable } from '../../proto/reasons.ts';
import { HeaderList } from '../http2/hpack/field.ts';
import type { RateLimitSignal } from '../policy/rate-limit-signals.ts';
import type { HttpStream } from './http-stream.ts';

export interface Answer {
  readonly head: HeaderList;
  /** null for gRPC: its status is in the head ("trailers only"). */
  readonly body: Buffer | null;
  /** null = none, or they are in the head. */
  readonly trailers: HeaderList | null;
}

/** Longest wait that is ever advised, ms; keeps the pushback an integer that every client parses. */
const retryAfterMaxMs = 60_000;

type Answers = Map<number, Answer>;

const answersPlain: Answers = new Map();
/** Those that tell of rate limits; a signal that nobody gives any more takes its answers with it. */
const answersTelling = new WeakMap<RateLimitSignal, Answers>();

/** Rounds up to two significant digits: 1234 → 1300. */
export function roundWait(waitMs: number): number {
  const capped = Math.min(retryAfterMaxMs, Math.max(1, Math.ceil(waitMs)));
  if (capped < 100) return capped;
  const unit = capped < 1000 ? 10 : capped < 10_000 ? 100 : 1000;
  return Math.ceil(capped / unit) * unit;
}

/**
 * The answer for a refusal; `retryAfterMs` > 0 advises when to come again (only where the reason allows pushback), and the
 * signal tells of the rate limits.
 */
export function answerFor(
  reason: number,
  isGrpc: boolean,
  retryAfterMs: number,
  signal: RateLimitSignal | null = null,
): Answer {
  const row = reasonTable[reason]!;
  const wait = row.pushback && retryAfterMs > 0 ? roundWait(retryAfterMs) : 0;
  const key = (reason * 2 + (isGrpc ? 1 : 0)) * 100_000 + wait;
  const cache = signal === null ? answersPlain : answersOf(signal);
  let answer = cache.get(key);
  if (answer === undefined) {
    answer = isGrpc ? grpcAnswer(row, wait) : httpAnswer(row, wait);
    if (signal !== null) answer = { ...answer, head: withSignal(answer.head, signal) };
    cache.set(key, answer);
  }
  return answer;
}

function answersOf(signal: RateLimitSignal): Answers {
  let answers = answersTelling.get(signal);
  if (answers === undefined) {
    answers = new Map();
    answersTelling.set(signal, answers);
  }
  return answers;
}

export function sendAnswer(down: HttpStream, { head, body, trailers }: Answer, isHead: boolean): void {
  if (body === null || isHead) return down.sendHeaders(head, true);
  down.sendHeaders(head, false);
  down.source = null;
  down.sendData(body, 0, body.length, trailers === null);
  if (trailers !== null) down.sendTrailers(trailers);
}

/** The head with what it tells of the rate limits; an app that speaks of limits of its own has the word. */
export function withSignal(head: HeaderList, signal: RateLimitSignal): HeaderList {
  if (head.status < 200 || head.get('ratelimit') !== undefined) return head;
  return head.with({
    set: [
      ['ratelimit-policy', signal.policy],
      ['ratelimit', signal.limit],
    ],
  });
}

/** Trailers for a gRPC call whose head has been sent already. */
export function grpcTrailersFor(reason: number): HeaderList {
  const row = reasonTable[reason]!;
  return HeaderList.of([
    ['grpc-status', String(row.grpc)],
    ['grpc-message', encodeMessage(row.message)],
    ['weir-reason', row.name],
  ]);
}

function grpcAnswer(row: ReasonRow, waitMs: number): Answer {
  const fields: [string, string][] = [
    [':status', '200'],
    ['content-type', 'application/grpc'],
    ['grpc-status', String(row.grpc)],
    ['grpc-message', encodeMessage(row.message)],
    ['weir-reason', row.name],
  ];
  if (waitMs > 0) fields.push(['grpc-retry-pushback-ms', String(waitMs)]);
  return { head: HeaderList.of(fields), body: null, trailers: null };
}

function httpAnswer(row: ReasonRow, waitMs: number): Answer {
  const body = Buffer.from(`${row.message}\n`);
  const fields: [string, string][] = [
    [':status', String(row.http)],
    ['content-type', 'text/plain; charset=utf-8'],
    ['content-length', String(body.length)],
    ['weir-reason', row.name],
  ];
  // RFC 9110 §10.2.3: whole seconds.
  if (waitMs > 0) fields.push(['retry-after', String(Math.ceil(waitMs / 1000))]);
  if (row.http === 401) fields.push(['www-authenticate', 'Weir']);
  return { head: HeaderList.of(fields), body, trailers: null };
}

/** gRPC's percent-encoding of grpc-message: printable ASCII without "%" stays. */
function encodeMessage(text: string): string {
  return encodeURIComponent(text).replace(/%20/g, ' ').replace(/%3A/g, ':');
}
