/**
 * A parked request as it lies in a stream: the body is the message, everything else is JSON in one of its headers, so that
 * lists are made without reading bodies. A dead letter is the same with why it died. Pure; both sides read and write it.
 */
import { isRecord } from './policy/problems.ts';

/** Header of the message. */
export const parkedHeader = 'Weir-Parked';
/** Longer ones are not read. */
export const parkedHeaderMax = 64 * 1024;

export interface ParkedRequest {
  readonly v: 1;
  /** What the caller was told; the same for all its deliveries. */
  readonly reference: string;
  /** `<ns>/<svc>` it is for, and where it came from. */
  readonly target: string;
  readonly from: string;
  /** Why it was parked. */
  readonly reason: string;
  /** Wall time, ms. */
  readonly parkedAtMs: number;
  readonly isGrpc: boolean;
  /** Of HTTP, 1 or 2. */
  readonly httpVersion: 1 | 2;
  readonly method: string;
  readonly scheme: string;
  readonly authority: string;
  readonly path: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly deliveriesMax: number;
  readonly backoffBaseMs: number;
  readonly backoffMaxMs: number;
  readonly ageMaxMs: number;
  /** Only of dead letters. */
  readonly death?: Death;
}

export interface Death {
  /** `DeathReason`, snake_case. */
  readonly reason: string;
  /** What the service answered: an HTTP status, `grpc 3`, or a reason of ours. */
  readonly answer: string;
  readonly deliveries: number;
  /** Wall time, ms. */
  readonly atMs: number;
  readonly instance: string;
}

/** unprocessable: the service says that it is not valid. deliveries_spent: it failed too often. expired: it was too old. */
export const deathReasons = ['unprocessable', 'deliveries_spent', 'expired', 'undecodable'] as const;
export type DeathReason = (typeof deathReasons)[number];

/** In ASCII, whatever the request's fields hold. */
export function encodeParked(request: ParkedRequest): string {
  return JSON.stringify(request).replace(/[^ -~]/g, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** undefined when it is none. */
export function decodeParked(text: string): ParkedRequest | undefined {
  if (text.length === 0 || text.length > parkedHeaderMax) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return isParked(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

const texts = ['reference', 'target', 'from', 'reason', 'method', 'scheme', 'authority', 'path'] as const;
const numbers = ['parkedAtMs', 'deliveriesMax', 'backoffBaseMs', 'backoffMaxMs', 'ageMaxMs'] as const;

function isParked(value: unknown): value is ParkedRequest {
  if (!isRecord(value) || value.v !== 1) return false;
  const { headers, httpVersion, death } = value;
  return (
    texts.every((name) => typeof value[name] === 'string') &&
    numbers.every((name) => typeof value[name] === 'number' && Number.isFinite(value[name])) &&
    typeof value.isGrpc === 'boolean' &&
    (httpVersion === 1 || httpVersion === 2) &&
    Array.isArray(headers) &&
    headers.every(isField) &&
    (death === undefined || isDeath(death))
  );
}

function isField(value: unknown): boolean {
  return Array.isArray(value) && value.length === 2 && value.every((part) => typeof part === 'string');
}

function isDeath(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { reason, answer, instance, deliveries, atMs } = value;
  return (
    [reason, answer, instance].every((one) => typeof one === 'string') && [deliveries, atMs].every(Number.isFinite)
  );
}
