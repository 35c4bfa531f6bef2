/**
 * What an answer says about the health of the service that gave it. Breakers, ejection and reports all count by this one
 * classification, so that they never disagree. The question is not "did the caller get what it wanted" but "is the
 * service able to answer": a 404 is a healthy answer, and a service that sheds load is alive. A policy may see single
 * statuses in another way (classifier.ts).
 */
import { reasonTable } from '../../proto/reasons.ts';

export const Outcome = { success: 0, failure: 1, ignored: 2 } as const;
export type OutcomeCode = (typeof Outcome)[keyof typeof Outcome];

/** Names of the reasons with which a Weir sidecar refuses by policy; such an answer never reached the service. */
const refusals: ReadonlySet<string> = new Set(
  reasonTable.filter((row) => row.kind === 'refused').map((row) => row.name),
);

/** Whether this is the `weir-reason` of an answer that came from a sidecar instead of the service. */
export function isRefusal(weirReason: string): boolean {
  return refusals.has(weirReason);
}

/**
 * | status                         | outcome | why                                                             |
 * |--------------------------------|---------|-----------------------------------------------------------------|
 * | any, with a Weir refusal       | ignored | a sidecar said no; the service was not asked                    |
 * | 1xx, 2xx, 3xx                  | success |                                                                 |
 * | 429                            | ignored | a limit: the service is alive, but did not do the work          |
 * | 499                            | ignored | the caller went away                                            |
 * | 4xx                            | success | a healthy answer to a bad request                               |
 * | 501, 505                       | success | a property of the request's method or version, not of health    |
 * | 5xx                            | failure | 500 error, 502 and 504 behind it, 503 not by us                 |
 * | anything else                  | failure | not HTTP                                                        |
 *
 * `weirReason` is the value of the answer's `weir-reason` field, if it has one.
 */
export function classifyHttp(status: number, weirReason?: string): OutcomeCode {
  if (weirReason !== undefined && isRefusal(weirReason)) return Outcome.ignored;
  if (status >= 100 && status < 500) return status === 429 || status === 499 ? Outcome.ignored : Outcome.success;
  return status === 501 || status === 505 ? Outcome.success : Outcome.failure;
}

const { success, failure, ignored } = Outcome;

/** Index = gRPC status code. */
const grpcOutcomes: readonly OutcomeCode[] = [
  success, //  0 OK
  ignored, //  1 CANCELLED: the caller went away
  failure, //  2 UNKNOWN: an exception in the handler, as most libraries report it
  success, //  3 INVALID_ARGUMENT
  failure, //  4 DEADLINE_EXCEEDED: too slow is the failure that matters most
  success, //  5 NOT_FOUND
  success, //  6 ALREADY_EXISTS
  success, //  7 PERMISSION_DENIED
  ignored, //  8 RESOURCE_EXHAUSTED: a limit; alive, but the work was not done
  success, //  9 FAILED_PRECONDITION
  success, // 10 ABORTED: a conflict between callers
  success, // 11 OUT_OF_RANGE
  success, // 12 UNIMPLEMENTED
  failure, // 13 INTERNAL
  failure, // 14 UNAVAILABLE
  failure, // 15 DATA_LOSS
  success, // 16 UNAUTHENTICATED
];

/** The table above; a Weir refusal is ignored whatever the code, and a code outside the table is read as UNKNOWN. */
export function classifyGrpc(code: number, weirReason?: string): OutcomeCode {
  if (weirReason !== undefined && isRefusal(weirReason)) return Outcome.ignored;
  return grpcOutcomes[code] ?? failure;
}
