/** Parking from a spec to settings. */
import type { EffectiveParking } from '../../proto/policy/defaults-parking.ts';
import { Reason, reasonTable } from '../../proto/reasons.ts';
import { grpcAnswer, isRefusedForService, type StaticAnswer } from './compile-fallback.ts';
import { bytes, milliseconds } from './units.ts';

export interface ParkingSettings {
  /** Counts what would be parked, and parks nothing. */
  readonly shadow: boolean;
  /** 1 for the reasons of ours that park. */
  readonly onReason: Uint8Array;
  /** Whether answers park by which the service, or its sidecar, refused; failed; or was too slow. */
  readonly onRefusal: boolean;
  readonly onFailure: boolean;
  readonly onTimeout: boolean;
  readonly grpcPaths: ReadonlySet<string>;
  readonly httpMethods: ReadonlySet<string>;
  readonly bodyBytesMax: number;
  /** In lower case. */
  readonly headers: ReadonlySet<string>;
  readonly messagesMax: number;
  readonly ageMaxMs: number;
  readonly deliveriesMax: number;
  readonly backoff: { readonly baseMs: number; readonly maxMs: number };
  /** '' = none. */
  readonly location: string;
  readonly grpcAnswer: StaticAnswer;
}

const alwaysKept = [
  'content-type',
  'content-encoding',
  'grpc-encoding',
  'idempotency-key',
  'traceparent',
  'tracestate',
] as const;

const failures: ReadonlySet<number> = new Set([
  Reason.noEndpoints,
  Reason.upstreamConnect,
  Reason.upstreamReset,
  Reason.upstreamProtocol,
]);

export function parkingSettings(parking: EffectiveParking, shadow: boolean): ParkingSettings {
  const on = new Set<string>(parking.on);
  return {
    shadow,
    onReason: Uint8Array.from(reasonTable, (_, code) => (on.has(conditionOf(code)) ? 1 : 0)),
    onRefusal: on.has('refused'),
    onFailure: on.has('failed'),
    onTimeout: on.has('timeout'),
    grpcPaths: new Set(parking.idempotent.grpcMethods.map(({ service, method }) => `/${service}/${method}`)),
    httpMethods: new Set<string>(parking.idempotent.httpMethods),
    bodyBytesMax: bytes(parking.bodyMax),
    headers: new Set([...alwaysKept, ...parking.headers.map((name) => name.toLowerCase())]),
    messagesMax: parking.messagesMax,
    ageMaxMs: milliseconds(parking.ageMax),
    deliveriesMax: parking.maxDeliveries,
    backoff: { baseMs: milliseconds(parking.backoff.base), maxMs: milliseconds(parking.backoff.max) },
    location: parking.answer.http.location ?? '',
    grpcAnswer: grpcAnswer(parking.answer.grpc),
  };
}

/** The word of the policy for a reason of ours; '' = none of them. */
function conditionOf(code: number): string {
  if (code === Reason.breakerOpen || code === Reason.fleetBreakerOpen) return 'breakerOpen';
  if (code === Reason.deadline || code === Reason.tryTimeout) return 'timeout';
  if (failures.has(code)) return 'failed';
  return isRefusedForService(code) ? 'refused' : '';
}
