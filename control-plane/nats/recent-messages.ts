/**
 * The newest messages of a stream, read backwards by number: for the few that people look at, cheaper than a consumer,
 * which the server would have to keep. What was read past without being asked for is bounded too.
 */
import type { JetStreamManager, StoredMsg } from 'nats';
import type { StreamPage, StreamQuery } from '../service/bus.ts';
import { isNotFound } from './nats-errors.ts';

const scannedMax = 2_000;
const readsAtOnce = 20;

export async function recentMessages(
  manager: JetStreamManager,
  stream: string,
  { subjectPrefixes, limit, before }: StreamQuery,
): Promise<StreamPage> {
  const { state } = await manager.streams.info(stream);
  const last = Math.min(state.last_seq, (before ?? Number.POSITIVE_INFINITY) - 1);
  const found: StreamPage['messages'][number][] = [];
  const isWanted = (subject: string): boolean => subjectPrefixes.some((prefix) => subject.startsWith(prefix));
  let next = last;
  for (
    ;
    next >= Math.max(1, state.first_seq) && last - next < scannedMax && found.length < limit;
    next -= readsAtOnce
  ) {
    const numbers = Array.from({ length: Math.min(readsAtOnce, next - state.first_seq + 1) }, (_, i) => next - i);
    for (const message of await Promise.all(numbers.map((seq) => read(manager, stream, seq)))) {
      if (!message || !isWanted(message.subject) || found.length === limit) continue;
      found.push({ sequence: message.seq, subject: message.subject, data: message.data, atMs: message.time.getTime() });
    }
  }
  const oldest = found.length === limit ? found.at(-1)?.sequence : Math.max(next + 1, state.first_seq);
  const isMore =
    oldest !== undefined && oldest > state.first_seq && (found.length === limit || next >= state.first_seq);
  return { messages: found, ...(isMore ? { before: oldest } : {}) };
}

async function read(manager: JetStreamManager, stream: string, seq: number): Promise<StoredMsg | undefined> {
  try {
    return await manager.streams.getMessage(stream, { seq });
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
