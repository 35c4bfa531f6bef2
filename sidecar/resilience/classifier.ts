/**
 * What an answer says about the service that gave it, where the policy sees something in another way than the table of
 * outcome.ts: a service whose 404 means that its data is gone, or whose 500 means "no such customer". One of these for a
 * service, asked for every answer of it, so that breakers, ejection, limits and reports never disagree.
 *
 * A refusal by a Weir sidecar is ignored whatever the policy says: the service was not asked.
 */
import { grpcCodeNames } from '../../proto/grpc-codes.ts';
import { classifyGrpc, classifyHttp, isRefusal, Outcome, type OutcomeCode } from './outcome.ts';

export interface ClassificationSettings {
  /** Each an HTTP status (`404`), a class of them (`5xx`), or the name of a gRPC status. */
  readonly failures: readonly string[];
  readonly successes: readonly string[];
  readonly ignored: readonly string[];
}

const statusMax = 600;
const names: readonly string[] = grpcCodeNames;

export class Classifier {
  /** By HTTP status. */
  private readonly http: OutcomeCode[] = Array.from({ length: statusMax }, (_, status) => classifyHttp(status));
  /** By gRPC status; codes beyond are read as UNKNOWN. */
  private readonly grpc: OutcomeCode[] = grpcCodeNames.map((_, code) => classifyGrpc(code));

  /** A status that is named wins over its class. */
  constructor({ failures, successes, ignored }: ClassificationSettings) {
    for (const classes of [true, false]) {
      this.mark(failures, Outcome.failure, classes);
      this.mark(successes, Outcome.success, classes);
      this.mark(ignored, Outcome.ignored, classes);
    }
  }

  /** `grpcStatus` as it stands in the trailers, '' where the answer is none of gRPC. */
  outcomeOf(status: number, grpcStatus: string, weirReason: string): OutcomeCode {
    if (weirReason !== '' && isRefusal(weirReason)) return Outcome.ignored;
    if (grpcStatus !== '') return this.grpc[Number(grpcStatus)] ?? this.grpc[2]!;
    return this.http[status] ?? Outcome.failure;
  }

  private mark(words: readonly string[], outcome: OutcomeCode, classes: boolean): void {
    for (const word of words) {
      if (/^[1-5]xx$/.test(word)) {
        if (classes) this.http.fill(outcome, Number(word[0]) * 100, Number(word[0]) * 100 + 100);
      } else if (!classes) {
        if (/^[1-5][0-9]{2}$/.test(word)) this.http[Number(word)] = outcome;
        else this.markGrpc(word, outcome);
      }
    }
  }

  private markGrpc(name: string, outcome: OutcomeCode): void {
    const code = names.indexOf(name);
    if (code >= 0) this.grpc[code] = outcome;
  }
}

/** As outcome.ts has it. */
export const defaultClassifier = new Classifier({ failures: [], successes: [], ignored: [] });
