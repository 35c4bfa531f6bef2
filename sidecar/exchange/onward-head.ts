/**
 * What the head of an attempt says to the next hop beside what its request said: which attempt it is, so that nobody
 * below tries again as well.
 */
import type { HeaderList } from '../http2/hpack/field.ts';

/** The head of a retry or hedge; `number` is 2 for the second attempt. */
export function headOfRetry(head: HeaderList, number: number): HeaderList {
  const set: [string, string][] = [['weir-attempt', String(number)]];
  // gRPC A6: attempts before this one.
  if (head.isGrpc) set.push(['grpc-previous-rpc-attempts', String(number - 1)]);
  return head.with({ set });
}
