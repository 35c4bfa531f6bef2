/**
 * What one answer to a health check means. For gRPC the two messages of grpc.health.v1 are small enough to be written
 * out: a request of one string, an answer of one number.
 */
import type { Verdict } from './health.ts';
import { classifyGrpc, classifyHttp, Outcome } from './outcome.ts';

export interface Judgement {
  readonly verdict: Verdict;
  readonly detail: string;
}

/** The longest answer that is read; HealthCheckResponse has 2 bytes. */
export const answerBytesMax = 1024;

const good: Judgement = { verdict: 'healthy', detail: '' };
/** 1 is SERVING. */
const servingStatuses = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];
const serving = 1;
const grpcUnimplemented = 12;

/** `expected` empty: every 2xx. */
export function judgeHttp(status: number, expected: readonly number[], weirReason: string): Judgement {
  const isExpected = expected.length === 0 ? status >= 200 && status < 300 : expected.includes(status);
  if (isExpected) return good;
  const isRefusal = classifyHttp(status, weirReason) === Outcome.ignored;
  return { verdict: isRefusal ? 'unknown' : 'unhealthy', detail: `HTTP ${status}${weirReason && ` ${weirReason}`}` };
}

/** `content` is the body as it came; `grpcStatus` that of the trailers, '' when there were none. */
export function judgeGrpc(grpcStatus: string, content: Buffer, weirReason: string): Judgement {
  if (grpcStatus === '0') {
    const status = servingStatusOf(content);
    if (status === serving) return good;
    return { verdict: 'unhealthy', detail: servingStatuses[status] ?? 'an answer that is no HealthCheckResponse' };
  }
  const code = grpcStatus === '' ? Number.NaN : Number(grpcStatus);
  // The server is there and has no health service: no sign of bad health, but somebody should know.
  const says = code === grpcUnimplemented || classifyGrpc(code, weirReason) === Outcome.ignored;
  return { verdict: says ? 'unknown' : 'unhealthy', detail: `gRPC status ${grpcStatus || 'missing'}` };
}

/** HealthCheckRequest { string service = 1; } as a gRPC message: flag, length, message. */
export function healthRequest(service: string): Buffer {
  const name = Buffer.from(service, 'latin1');
  const field = name.length === 0 ? [] : [0x0a, ...varint(name.length)];
  const head = Buffer.from([0, 0, 0, 0, 0, ...field]);
  head.writeUInt32BE(field.length + name.length, 1);
  return Buffer.concat([head, name]);
}

/** The `status` of HealthCheckResponse { ServingStatus status = 1; }; -1 when it is none. */
export function servingStatusOf(content: Buffer): number {
  if (content.length < 5 || content[0] !== 0 || content.readUInt32BE(1) !== content.length - 5) return -1;
  let status = 0;
  for (let at = 5; at < content.length; ) {
    const tag = content[at]!;
    if (tag !== 0x08) return -1;
    const [value, next] = readVarint(content, at + 1);
    if (next < 0) return -1;
    status = value;
    at = next;
  }
  return status;
}

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];
}

/** Up to 28 bits, which is more than any status has; next is -1 when there is no such number. */
function readVarint(content: Buffer, from: number): [value: number, next: number] {
  let value = 0;
  for (let i = 0; i < 4 && from + i < content.length; i++) {
    const byte = content[from + i]!;
    value |= (byte & 0x7f) << (7 * i);
    if (byte < 0x80) return [value, from + i + 1];
  }
  return [0, -1];
}
