/**
 * What the answer to a delivered message says about the message. Other than for a breaker (outcome.ts), the question is
 * whether the same message can ever succeed: a 404 is a sign of health, and of a message that nobody can use.
 */
import { Reason, reasonTable } from '../../proto/reasons.ts';

export const Verdict = {
  /** It is done. */
  done: 'done',
  /** It was carried out, or begun, and failed: another time it may succeed. */
  again: 'again',
  /** It never got to the app, which has no room or is not there: not now, and no delivery. */
  refused: 'refused',
  /** The app says that it is not valid: it never succeeds. */
  unprocessable: 'unprocessable',
} as const;
export type Verdict = (typeof Verdict)[keyof typeof Verdict];

/** Request Timeout, Too Early, Too Many Requests: they say "not now". */
const laterStatuses: ReadonlySet<number> = new Set([408, 425, 429]);
/** CANCELLED, UNKNOWN, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, ABORTED, INTERNAL, UNAVAILABLE, DATA_LOSS. */
const laterCodes: ReadonlySet<number> = new Set([1, 2, 4, 8, 10, 13, 14, 15]);

/**
 * | how it ended                                             | verdict       |
 * |----------------------------------------------------------|---------------|
 * | refused by our own limits; no connection to the app      | refused       |
 * | time ran out, a reset, an answer that is none            | again         |
 * | gRPC 0; HTTP 2xx, 3xx                                    | done          |
 * | gRPC 1, 2, 4, 8, 10, 13, 14, 15; HTTP 408, 425, 429, 5xx | again         |
 * | any other status of gRPC; any other 4xx                  | unprocessable |
 *
 * `reason`: by which we ended it; 0 where the app did. `grpcStatus`: '' where the answer has none.
 */
export function verdictOf(isGrpc: boolean, status: number, grpcStatus: string, reason: number): Verdict {
  if (reason !== Reason.none) {
    if (reason === Reason.upstreamConnect || reasonTable[reason]!.kind === 'refused') return Verdict.refused;
    // What we ourselves find malformed is so every time.
    return reason === Reason.badRequest || reason === Reason.headersTooLarge ? Verdict.unprocessable : Verdict.again;
  }
  if (isGrpc && grpcStatus !== '') {
    const code = Number(grpcStatus);
    if (code === 0) return Verdict.done;
    return laterCodes.has(code) || !(code <= 16) ? Verdict.again : Verdict.unprocessable;
  }
  if (isGrpc && status < 300) return Verdict.again;
  if (status >= 200 && status < 400) return Verdict.done;
  return status >= 400 && status < 500 && !laterStatuses.has(status) ? Verdict.unprocessable : Verdict.again;
}
