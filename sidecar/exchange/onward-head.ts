/**
 * What the head of an attempt says to the next hop beside what its request said: how much time is left, and which
 * attempt it is.
 *
 * Time shrinks from hop to hop, so that nobody works on what nobody waits for. It is told rounded, to within 2.5 %: a
 * head whose time has not changed by more stays the object that it was, and one that has is made once for many requests
 * (kept in `HeaderList.timed`). What is told is never more than what was asked for; it may be up to 2.5 % more than what
 * is left, which costs nothing, since the caller ends the request in time.
 */
import { lessImportant, tierNames, tierOf } from '../../proto/tiers.ts';
import { FieldName, type HeaderList } from '../http2/hpack/field.ts';
import { formatGrpcTimeout, parseGrpcTimeoutMs } from '../resilience/deadline.ts';

/** Which attempt a request is, 1 = the first; of sidecars, beside gRPC's own field. */
const attemptField = 'weir-attempt';

/** `leftMs` > 0. `timeoutHeader`: the field that tells whole ms where it is not gRPC; '' = none. */
export function withTimeLeft(head: HeaderList, leftMs: number, timeoutHeader: string): HeaderList {
  const rounded = roundTimeout(leftMs);
  if (head.isGrpc) return withGrpcTimeout(head, rounded);
  return timeoutHeader === '' ? head : withTimeoutHeader(head, rounded, timeoutHeader);
}

/** To a twentieth of its power of ten (100, 105 … 1000, 1050 …): never off by more than 2.5 %. */
export function roundTimeout(leftMs: number): number {
  let unit = 0.05;
  for (let top = 10; leftMs >= top; top *= 10) unit *= 10;
  const steps = Math.round(leftMs / unit);
  // Fractions of units below 1 are not exact.
  return steps === 0 ? leftMs : Math.round(steps * unit * 1000) / 1000;
}

/** Whole ms in a field of its own, such as x-request-timeout-ms; undefined when it is not that. */
export function parseTimeoutHeader(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}

/**
 * The head of a retry or hedge; `number` is 2 for the second attempt. Nobody below tries again as well, and where it is
 * crowded, first attempts go first: a retry is one tier less important.
 */
export function headOfRetry(head: HeaderList, number: number): HeaderList {
  const set: [string, string][] = [[attemptField, String(number)]];
  // gRPC A6: attempts before this one.
  if (head.isGrpc) set.push(['grpc-previous-rpc-attempts', String(number - 1)]);
  const tier = tierOf(head.get('weir-tier') ?? '');
  if (tier >= 0) set.push(['weir-tier', tierNames[lessImportant(tier)]!]);
  return head.with({ set });
}

/** The head of a call that is made for a retry: those further down do not try again either. */
export function belowRetry(head: HeaderList): HeaderList {
  return saysRetry(head, true) ? head : head.with({ set: [[attemptField, '2']] });
}

/** Whether a request says that it was sent before. `byWeir`: a sidecar may say so, too; gRPC's own word goes for everybody. */
export function saysRetry({ fields }: HeaderList, byWeir: boolean): boolean {
  for (let i = 0; i < fields.length; i++) {
    const { id, name, value } = fields[i]!;
    if (id === FieldName.grpcPreviousRpcAttempts) {
      if (value !== '0') return true;
    } else if (byWeir && id === FieldName.unknown && name === attemptField && value !== '1') return true;
  }
  return false;
}

function withGrpcTimeout(head: HeaderList, leftMs: number): HeaderList {
  const asked = head.grpcTimeout;
  const askedMs = asked === '' ? undefined : parseGrpcTimeoutMs(asked);
  if (askedMs !== undefined && roundTimeout(askedMs) <= leftMs) return head;
  const text = Number.isInteger(leftMs) && leftMs < 1e8 ? `${leftMs}m` : formatGrpcTimeout(leftMs);
  const kept = head.timed;
  if (kept !== null && kept.grpcTimeout === text) return kept;
  head.timed = head.with({ set: [['grpc-timeout', text]] });
  return head.timed;
}

function withTimeoutHeader(head: HeaderList, leftMs: number, name: string): HeaderList {
  const asked = head.get(name);
  const askedMs = parseTimeoutHeader(asked);
  if (askedMs !== undefined && askedMs > 0 && roundTimeout(askedMs) <= leftMs) return head;
  const text = String(Math.max(1, Math.round(leftMs)));
  const kept = head.timed;
  if (kept !== null && kept.get(name) === text) return kept;
  head.timed = head.with({ set: [[name, text]] });
  return head.timed;
}
