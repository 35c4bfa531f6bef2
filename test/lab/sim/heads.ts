/** The header lists of simulated gRPC calls, made once: the engine interns repeated ones too. */
import { HeaderList } from '../../../sidecar/http2/hpack/field.ts';

export type Fields = readonly (readonly [name: string, value: string])[];

export const okHead = HeaderList.of([
  [':status', '200'],
  ['content-type', 'application/grpc'],
]);
/** A gRPC message of two bytes. */
export const message: Buffer = Buffer.from([0, 0, 0, 0, 2, 8, 1]);
export const okTrailers = HeaderList.of([['grpc-status', '0']]);
export const failedHead = HeaderList.of([
  [':status', '200'],
  ['content-type', 'application/grpc'],
  ['grpc-status', '14'],
  ['grpc-message', 'the app fails'],
]);

export function requestHead(service: string, path: string, timeoutMs: number, more: Fields = []): HeaderList {
  return HeaderList.of([
    [':method', 'POST'],
    [':scheme', 'http'],
    [':path', path],
    [':authority', service],
    ['te', 'trailers'],
    ['content-type', 'application/grpc'],
    ['grpc-timeout', `${Math.max(1, Math.round(timeoutMs * 1000))}u`],
    ...more,
  ]);
}
