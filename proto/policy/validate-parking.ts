/** Parking that parks nothing, stores what belongs to one connection, or answers what nobody can read. */
import { errorsMax, type Finding, member, show } from './problems.ts';
import { messageOfFailure, reservedFields } from './validate-fallback.ts';
import { greaterThan } from './validate-order.ts';

/** Framing, what belongs to one connection (RFC 9113 §8.2.2), time that has passed by then, and ours. */
const notKept =
  /^(connection|content-length|expect|grpc-timeout|host|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|weir-.*)$/i;

export function validateParking(outbound: unknown, base: string): Finding[] {
  const parking = member(outbound, 'parking');
  if (parking === undefined) return [];
  const pointer = `${base}/parking`;
  const grpc = member(member(parking, 'answer'), 'grpc');
  return [
    ...parksNothing(member(parking, 'idempotent'), `${pointer}/idempotent`),
    ...greaterThan(outbound, base, ['parking', 'backoff'], 'base', 'max'),
    ...headersNotKept(member(parking, 'headers'), `${pointer}/headers`),
    ...reservedFields(member(grpc, 'trailers'), `${pointer}/answer/grpc/trailers`),
    ...messageOfFailure(grpc, `${pointer}/answer/grpc`),
  ];
}

function parksNothing(idempotent: unknown, pointer: string): Finding[] {
  const lists = [member(idempotent, 'grpcMethods'), member(idempotent, 'httpMethods')];
  if (
    idempotent === undefined ||
    lists.some((list) => list !== undefined && (!Array.isArray(list) || list.length > 0))
  ) {
    return [];
  }
  const message = 'nothing is parked: name methods that may be carried out twice';
  return [{ pointer, message, hint: 'such as httpMethods: [PUT, POST]', atKey: true }];
}

function headersNotKept(headers: unknown, pointer: string): Finding[] {
  if (!Array.isArray(headers)) return [];
  return headers.slice(0, errorsMax).flatMap((name, index) => {
    if (typeof name !== 'string' || !notKept.test(name)) return [];
    return [
      { pointer: `${pointer}/${index}`, message: `${show(name)} is of one connection or hop, and cannot be kept` },
    ];
  });
}
