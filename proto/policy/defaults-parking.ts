/** Parking with nothing left open. */
import { ordered } from './defaults-ordered.ts';
import type { ParkingSpec } from './schema-parking.ts';

const defaultConditions: NonNullable<ParkingSpec['on']> = ['breakerOpen', 'refused', 'failed'];
/** Not UNAVAILABLE, which clients answer with another call. */
const defaultGrpc = { status: 10, statusMessage: 'parked, and delivered later' };

export type EffectiveParking = Required<ParkingSpec> & {
  idempotent: Required<ParkingSpec['idempotent']>;
  backoff: { base: string; max: string };
  answer: Required<NonNullable<ParkingSpec['answer']>>;
};

export function parkingWithDefaults(parking: ParkingSpec): EffectiveParking {
  const { grpcMethods = [], httpMethods = [] } = parking.idempotent;
  const { http = {}, grpc } = parking.answer ?? {};
  const [base, max] = ordered(parking.backoff?.base, parking.backoff?.max, '1s', '5m');
  return {
    idempotent: { grpcMethods, httpMethods },
    on: parking.on ?? [...defaultConditions],
    bodyMax: parking.bodyMax ?? '64KiB',
    headers: parking.headers ?? [],
    messagesMax: parking.messagesMax ?? 100_000,
    ageMax: parking.ageMax ?? '24h',
    maxDeliveries: parking.maxDeliveries ?? 8,
    backoff: { base, max },
    answer: { http, grpc: grpc === undefined ? { ...defaultGrpc } : { ...grpc, status: grpc.status ?? 0 } },
  };
}
