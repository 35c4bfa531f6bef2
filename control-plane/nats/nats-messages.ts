/** Messages of a stream, one by one: looked at, put in, taken out. */
import { headers, type StoredMsg } from 'nats';
import type { MessageStore, StoredMessage } from '../service/message-store.ts';
import { type JetStream, requestTimeoutMs } from './nats-bucket.ts';
import { busError, isNotFound } from './nats-errors.ts';

export class NatsMessages implements MessageStore {
  private readonly stream: string;
  private readonly open: () => Promise<JetStream>;

  constructor(stream: string, open: () => Promise<JetStream>) {
    this.stream = stream;
    this.open = open;
  }

  next(from: number, subject: string): Promise<StoredMessage | undefined> {
    return this.read({ seq: Math.max(1, from), next_by_subj: subject });
  }

  get(sequence: number): Promise<StoredMessage | undefined> {
    return this.read({ seq: sequence });
  }

  delete(sequence: number): Promise<boolean> {
    return this.attempt(async ({ manager }) => {
      try {
        return await manager.streams.deleteMessage(this.stream, sequence, false);
      } catch (error) {
        if (isNotFound(error) || /no message found/.test(String(error))) return false;
        throw error;
      }
    });
  }

  purge(subject: string): Promise<number> {
    return this.attempt(async ({ manager }) => (await manager.streams.purge(this.stream, { filter: subject })).purged);
  }

  counts(subject: string): Promise<ReadonlyMap<string, number>> {
    return this.attempt(async ({ manager }) => {
      const { state } = await manager.streams.info(this.stream, { subjects_filter: subject });
      return new Map(Object.entries(state.subjects ?? {}));
    });
  }

  lastSequence(): Promise<number> {
    return this.attempt(async ({ manager }) => (await manager.streams.info(this.stream)).state.last_seq);
  }

  async put(subject: string, data: Uint8Array, fields: Readonly<Record<string, string>>): Promise<void> {
    await this.attempt(async ({ jetstream }) => {
      const head = headers();
      for (const [name, value] of Object.entries(fields)) head.set(name, value);
      await jetstream.publish(subject, data, {
        headers: head,
        timeout: requestTimeoutMs,
        expect: { streamName: this.stream },
      });
    });
  }

  private read(question: { readonly seq: number; readonly next_by_subj?: string }): Promise<StoredMessage | undefined> {
    return this.attempt(async ({ manager }) => {
      try {
        return toMessage(await manager.streams.getMessage(this.stream, question));
      } catch (error) {
        if (isNotFound(error)) return undefined;
        throw error;
      }
    });
  }

  private async attempt<T>(operation: (client: JetStream) => Promise<T>): Promise<T> {
    try {
      return await operation(await this.open());
    } catch (error) {
      throw busError(error);
    }
  }
}

function toMessage({ seq, subject, data, header }: StoredMsg): StoredMessage {
  return { sequence: seq, subject, data, header: (name) => header?.get(name) ?? '' };
}
