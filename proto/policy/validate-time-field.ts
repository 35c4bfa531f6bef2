/** Request fields with the time that is left: they are read as ms and written anew at each hop, so not any field will do. */
import { type Finding, member, show } from './problems.ts';

/** Pseudo fields, framing, routing and credentials, and what has a meaning of its own; gRPC's and ours. */
const taken =
  /^(accept.*|authorization|connection|content-.*|cookie|date|expect|forwarded|grpc-.*|host|if-.*|keep-alive|max-forwards|origin|proxy-.*|range|te|traceparent|tracestate|trailer|transfer-encoding|upgrade|user-agent|via|weir-.*|x-forwarded-.*)$/i;

export function timeFieldTaken(side: unknown, pointer: string, path: readonly string[]): Finding[] {
  const name: unknown = path.reduce<unknown>(member, side);
  if (typeof name !== 'string' || name.length > 64 || !taken.test(name)) return [];
  const message = `${show(name)} has a meaning of its own, and would be overwritten with the ms that are left`;
  return [{ pointer: [pointer, ...path].join('/'), message, hint: 'such as x-request-timeout-ms' }];
}
