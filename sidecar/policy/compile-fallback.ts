/** Fallbacks from a spec to settings. */
import type { EffectiveFallback } from '../../proto/policy/defaults-fallback.ts';
import type { StaticGrpcSpec, StaticHttpSpec } from '../../proto/policy/schema-fallback.ts';
import { Reason, type ReasonCode, reasonTable } from '../../proto/reasons.ts';
import type { StaleSettings, StoredField } from '../resilience/stale-answers.ts';
import { bytes, milliseconds } from './units.ts';

export interface StaticAnswer {
  readonly status: number;
  readonly fields: readonly StoredField[];
  /** Of gRPC: with the prefix of the message. null = none. */
  readonly body: Buffer | null;
  /** null = none, or they are in the head. */
  readonly trailers: readonly StoredField[] | null;
}

export interface FallbackSettings {
  /** 1 for the reasons of ours that it stands in for. */
  readonly onReason: Uint8Array;
  /** Whether it stands in for answers by which the service's own sidecar refused. */
  readonly onRefusal: boolean;
  /** Whether it stands in for failures that the service answered with. */
  readonly onServerError: boolean;
  /** '' = none. */
  readonly service: string;
  readonly stale: StaleSettings | null;
  readonly http: StaticAnswer | null;
  readonly grpc: StaticAnswer | null;
}

/** Our refusals that do not protect the service, or came when the answer had begun. */
const notOfTheService: readonly ReasonCode[] = [
  Reason.none,
  Reason.breakerOpen,
  Reason.fleetBreakerOpen,
  Reason.flowControl,
  Reason.draining,
  Reason.proxyOverload,
];
const failures: readonly ReasonCode[] = [
  Reason.upstreamConnect,
  Reason.upstreamReset,
  Reason.upstreamProtocol,
  Reason.deadline,
];

export function fallbackSettings(fallback: EffectiveFallback): FallbackSettings {
  const on = new Set<string>(fallback.on);
  const { service = '', stale } = fallback;
  const { http, grpc } = fallback.static ?? {};
  return {
    onReason: Uint8Array.from(reasonTable, (_, code) => (isCovered(on, code) ? 1 : 0)),
    onRefusal: on.has('refused'),
    onServerError: on.has('serverError'),
    service,
    stale: stale
      ? {
          maxAgeMs: milliseconds(stale.maxAge),
          entriesMax: stale.entriesMax,
          bytesMax: bytes(stale.bytesMax),
          answerBytesMax: bytes(stale.answerBytesMax),
          grpcPaths: new Set(stale.grpcMethods.map((one) => `/${one.service}/${one.method}`)),
        }
      : null,
    http: http ? httpAnswer(http) : null,
    grpc: grpc ? grpcAnswer(grpc) : null,
  };
}

function isCovered(on: ReadonlySet<string>, code: number): boolean {
  if (code === Reason.breakerOpen || code === Reason.fleetBreakerOpen) return on.has('breakerOpen');
  if (code === Reason.noEndpoints) return on.has('noEndpoints');
  if (failures.some((one) => one === code)) return on.has('failed');
  return on.has('refused') && isRefusedForService(code);
}

/** Whether it is a refusal that protects the service. */
export function isRefusedForService(code: number): boolean {
  return reasonTable[code]!.kind === 'refused' && !notOfTheService.some((one) => one === code);
}

function httpAnswer({ status = 200, headers = [], body }: StaticHttpSpec): StaticAnswer {
  const fields = headers.map(({ name, value }): StoredField => [name.toLowerCase(), value]);
  if (status === 204 || status === 205 || status === 304) return { status, fields, body: null, trailers: null };
  const octets = Buffer.from(body ?? '');
  if (octets.length > 0 && !fields.some(([name]) => name === 'content-type')) {
    fields.push(['content-type', 'text/plain; charset=utf-8']);
  }
  return {
    status,
    fields: [...fields, ['content-length', String(octets.length)]],
    body: octets.length === 0 ? null : octets,
    trailers: null,
  };
}

export function grpcAnswer({ status = 0, statusMessage, message, trailers = [] }: StaticGrpcSpec): StaticAnswer {
  const last: StoredField[] = [
    ['grpc-status', String(status)],
    ...(statusMessage === undefined ? [] : [['grpc-message', percentEncoded(statusMessage)] satisfies StoredField]),
    ...trailers.map(({ name, value }): StoredField => [name.toLowerCase(), value]),
  ];
  const head: StoredField = ['content-type', 'application/grpc'];
  if (message === undefined) return { status: 200, fields: [head, ...last], body: null, trailers: null };
  const octets = Buffer.from(message, 'base64');
  // Length-prefixed, not compressed.
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(octets.length, 1);
  return { status: 200, fields: [head], body: Buffer.concat([prefix, octets]), trailers: last };
}

/** gRPC's percent-encoding: printable ASCII without "%" stays. */
function percentEncoded(text: string): string {
  const isPlain = (octet: number): boolean => octet >= 0x20 && octet <= 0x7e && octet !== 0x25;
  const encoded = (octet: number): string => `%${octet.toString(16).toUpperCase().padStart(2, '0')}`;
  return Array.from(Buffer.from(text), (one) => (isPlain(one) ? String.fromCharCode(one) : encoded(one))).join('');
}
