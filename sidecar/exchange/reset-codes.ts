/**
 * Which code a reset has on the other side of the proxy. Codes that mean something end to end pass, those about one hop
 * become INTERNAL_ERROR. Toward the caller the rule above all is that a truncated answer never looks complete:
 *
 * | the upstream's code             | toward the caller, when the head of the answer is out                             |
 * |---------------------------------|-----------------------------------------------------------------------------------|
 * | INTERNAL_ERROR, ENHANCE_YOUR_CALM | the same                                                                        |
 * | CANCEL                          | the same for gRPC, where only trailers are an end; else INTERNAL_ERROR, since      |
 * |                                 | clients (node:http2 among them) take CANCEL for an end                             |
 * | NO_ERROR                        | INTERNAL_ERROR, for the same reason                                                |
 * | REFUSED_STREAM                  | INTERNAL_ERROR: it would promise that nothing was done (RFC 9113 §8.7)             |
 * | others; connection lost; our own | INTERNAL_ERROR                                                                    |
 */
import { Reason } from '../../proto/reasons.ts';
import { ErrorCode } from '../http2/constants.ts';
import { ResetCause } from '../http2/stream.ts';
import { AttemptEnd } from '../resilience/retry-rules.ts';

export function resetTowardCaller(code: number, cause: number, isGrpc: boolean): number {
  if (cause !== ResetCause.peer) return ErrorCode.internalError;
  if (code === ErrorCode.enhanceYourCalm || (code === ErrorCode.cancel && isGrpc)) return code;
  return ErrorCode.internalError;
}

/** The caller gave up, whatever it calls it: NO_ERROR would only say that it wants no more of the answer. */
export function resetTowardUpstream(code: number): number {
  switch (code) {
    case ErrorCode.noError:
      return ErrorCode.cancel;
    case ErrorCode.cancel:
    case ErrorCode.refusedStream:
    case ErrorCode.enhanceYourCalm:
      return code;
    default:
      return ErrorCode.internalError;
  }
}

/** What is counted and answered for an attempt that was reset. */
export function reasonOfReset(cause: number): number {
  if (cause === ResetCause.flowControl) return Reason.flowControl;
  if (cause === ResetCause.protocol) return Reason.upstreamProtocol;
  return cause === ResetCause.notConnected ? Reason.upstreamConnect : Reason.upstreamReset;
}

/** The same as the rules of retries see it. */
export function endOfReset(code: number, cause: number): number {
  switch (cause) {
    case ResetCause.unprocessed:
      return AttemptEnd.refused;
    case ResetCause.notConnected:
      return AttemptEnd.connectFailure;
    case ResetCause.connection:
      return AttemptEnd.reset;
    case ResetCause.peer:
      return code === ErrorCode.refusedStream ? AttemptEnd.refused : AttemptEnd.reset;
    default:
      return AttemptEnd.other;
  }
}
