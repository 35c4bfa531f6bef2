/** What the client's errors mean to us. */
import { NatsError } from 'nats';
import { BusError } from '../service/bus.ts';

/** JetStream API error codes (nats-server errors.json). */
const wrongLastSequence = 10071;
const messageNotFound = 10037;
const streamNotFound = 10059;
const storageFull: readonly number[] = [10047, 10023, 10028, 10077];
const noJetStream: readonly number[] = [10076, 10039, 10008];

export function isNotFound(error: unknown): boolean {
  if (!(error instanceof NatsError)) return false;
  const code = error.api_error?.err_code;
  return code === messageNotFound || code === streamNotFound || error.code === '404';
}

export function busError(error: unknown): BusError {
  if (error instanceof BusError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const cause = { cause: error };
  if (!(error instanceof NatsError)) return new BusError('failed', message, cause);
  const code = error.api_error?.err_code ?? 0;
  if (code === wrongLastSequence) return new BusError('conflict', message, cause);
  if (storageFull.includes(code) || /maximum (bytes|messages)/.test(message))
    return new BusError('full', message, cause);
  if (noJetStream.includes(code) || error.code === '503') {
    return new BusError('unavailable', 'JetStream does not answer: is it enabled on the nats-server?', cause);
  }
  return new BusError(error.api_error === undefined || code === 0 ? 'unavailable' : 'failed', message, cause);
}
