/**
 * The little of JetStream that queues use, as the core messages that it is: a publish that is confirmed, a question to its
 * API, and what a pulled message says of itself (ADR-1, ADR-13, ADR-15 of NATS).
 */
import type { Bus, BusMessage } from '../control-link/bus.ts';

/** Longer than a stream takes to store, shorter than a caller waits. */
export const confirmTimeoutMs = 2000;
const apiTimeoutMs = 3000;

/** stored: confirmed. full: the stream is at a bound. unreachable: nobody took it. unconfirmed: it may be stored. */
export type PublishResult = 'stored' | 'full' | 'unreachable' | 'unconfirmed';

/** Of storage, memory, account, and 10077: the stream's own bounds under `discard: new`. */
const fullCodes: readonly number[] = [10002, 10023, 10028, 10047, 10077];

export async function publishConfirmed(
  bus: Bus,
  subject: string,
  bytes: Uint8Array,
  headers: Readonly<Record<string, string>>,
): Promise<PublishResult> {
  if (!bus.connected) return 'unreachable';
  try {
    const reply = await bus.request(subject, bytes, { headers, timeoutMs: confirmTimeoutMs });
    if (reply.status === 503) return 'unreachable';
    const answer = jsonOf(reply.bytes);
    const error = member(answer, 'error');
    if (error === undefined) return typeof member(answer, 'seq') === 'number' ? 'stored' : 'unconfirmed';
    const code = Number(member(error, 'err_code'));
    return fullCodes.includes(code) || /maximum|too large|exceed/.test(String(member(error, 'description')))
      ? 'full'
      : 'unconfirmed';
  } catch {
    return bus.connected ? 'unconfirmed' : 'unreachable';
  }
}

/** A request to the API of JetStream. Throws what it refuses, and when it does not answer. */
export async function askJetStream(bus: Bus, call: string, question: unknown): Promise<unknown> {
  const reply = await bus.request(`$JS.API.${call}`, Buffer.from(JSON.stringify(question)), {
    headers: {},
    timeoutMs: apiTimeoutMs,
  });
  if (reply.status === 503) throw new Error(`JetStream does not answer to ${call}`);
  const answer = jsonOf(reply.bytes);
  const error = member(answer, 'error');
  if (error !== undefined) throw new Error(`${call}: ${String(member(error, 'description'))}`);
  return answer;
}

/** How many messages a stream has for a subject. */
export async function messagesIn(bus: Bus, stream: string, subject: string): Promise<number> {
  const answer = await askJetStream(bus, `STREAM.INFO.${stream}`, { subjects_filter: subject });
  return Number(member(member(member(answer, 'state'), 'subjects'), subject) ?? 0);
}

export interface PulledFacts {
  /** 1 = this is the first. */
  readonly deliveries: number;
  readonly sequence: number;
}

/** From the subject that it is acknowledged at; undefined when it was not pulled. */
export function pulledFacts({ reply }: BusMessage): PulledFacts | undefined {
  const parts = reply.split('.');
  if (parts[0] !== '$JS' || parts[1] !== 'ACK') return undefined;
  // $JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<time>.<pending>, newer servers with
  // <domain>.<account> before the stream.
  const at = parts.length === 9 ? 4 : 6;
  const deliveries = Number(parts[at]);
  const sequence = Number(parts[at + 1]);
  return Number.isSafeInteger(deliveries) && Number.isSafeInteger(sequence) ? { deliveries, sequence } : undefined;
}

export function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString());
  } catch {
    return undefined;
  }
}

export function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}
