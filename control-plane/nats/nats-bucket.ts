/** One key-value bucket, spoken to as the stream it is: the last message of a subject is the value of the key. */
import { Empty, headers, type JetStreamClient, type JetStreamManager, type StoredMsg, type StreamInfo } from 'nats';
import type { Bucket, BucketEntry, BucketState } from '../service/bus.ts';
import { BusError, isConflict } from '../service/bus.ts';
import { busError, isNotFound } from './nats-errors.ts';

export const requestTimeoutMs = 2_000;

/** Reads in flight while a list is loaded. */
const readsAtOnce = 64;

export interface JetStream {
  readonly manager: JetStreamManager;
  readonly jetstream: JetStreamClient;
}

export type StoreListener = (operation: string, tookMs: number, ok: boolean) => void;

export function stateOf(info: StreamInfo): BucketState {
  return { createdMs: Date.parse(info.created), lastSequence: info.state.last_seq };
}

export class NatsBucket implements Bucket {
  private readonly stream: string;
  private readonly subjectPrefix: string;
  private readonly open: () => Promise<JetStream>;
  private readonly onEnd: StoreListener | undefined;

  constructor(name: string, open: () => Promise<JetStream>, onEnd?: StoreListener) {
    this.onEnd = onEnd;
    this.stream = `KV_${name}`;
    this.subjectPrefix = `$KV.${name}.`;
    this.open = open;
  }

  async state(): Promise<BucketState | undefined> {
    return this.attempt('state', async ({ manager }) => {
      try {
        return stateOf(await manager.streams.info(this.stream));
      } catch (error) {
        if (isNotFound(error)) return undefined;
        throw error;
      }
    });
  }

  async get(key: string): Promise<BucketEntry | undefined> {
    return this.attempt('get', async ({ manager }) => {
      const stored = await this.last(manager, this.subject(key));
      return stored && !isDeletion(stored) ? { key, value: stored.data, revision: stored.seq } : undefined;
    });
  }

  async list(prefix: string): Promise<BucketEntry[]> {
    return this.attempt('list', async ({ manager }) => {
      const subjects = await this.subjects(manager, prefix);
      const entries: BucketEntry[] = [];
      const reader = async (): Promise<void> => {
        for (let subject = subjects.pop(); subject !== undefined; subject = subjects.pop()) {
          const stored = await this.last(manager, subject);
          if (!stored || isDeletion(stored)) continue;
          entries.push({ key: subject.slice(this.subjectPrefix.length), value: stored.data, revision: stored.seq });
        }
      };
      await Promise.all(Array.from({ length: readsAtOnce }, reader));
      return entries;
    });
  }

  async keys(prefix: string): Promise<string[]> {
    return this.attempt('list', async ({ manager }) =>
      (await this.subjects(manager, prefix)).map((subject) => subject.slice(this.subjectPrefix.length)),
    );
  }

  put(key: string, value: Uint8Array | string): Promise<number> {
    return this.write(key, value, undefined, false);
  }

  async create(key: string, value: Uint8Array | string): Promise<number> {
    try {
      return await this.write(key, value, 0, false);
    } catch (error) {
      if (!isConflict(error)) throw error;
      // A deleted key still has its marker as last message.
      const stored = await this.attempt('get', ({ manager }) => this.last(manager, this.subject(key)));
      if (!stored || !isDeletion(stored)) throw error;
      return this.write(key, value, stored.seq, false);
    }
  }

  update(key: string, value: Uint8Array | string, revision: number): Promise<number> {
    return this.write(key, value, revision, false);
  }

  async delete(key: string, revision?: number): Promise<void> {
    await this.write(key, Empty, revision, true);
  }

  async purge(key: string): Promise<void> {
    await this.attempt('purge', ({ manager }) => manager.streams.purge(this.stream, { filter: this.subject(key) }));
  }

  private async subjects(manager: JetStreamManager, prefix: string): Promise<string[]> {
    const filter = `${this.subjectPrefix}${prefix}.>`;
    const info = await manager.streams.info(this.stream, { subjects_filter: filter });
    return Object.keys(info.state.subjects ?? {});
  }

  private async write(
    key: string,
    value: Uint8Array | string,
    revision: number | undefined,
    deletion: boolean,
  ): Promise<number> {
    return this.attempt('write', async ({ jetstream }) => {
      const head = headers();
      if (deletion) head.set('KV-Operation', 'DEL');
      const { seq } = await jetstream.publish(this.subject(key), value, {
        headers: head,
        timeout: requestTimeoutMs,
        expect: { streamName: this.stream, ...(revision === undefined ? {} : { lastSubjectSequence: revision }) },
      });
      return seq;
    });
  }

  private async last(manager: JetStreamManager, subject: string): Promise<StoredMsg | undefined> {
    try {
      return await manager.streams.getMessage(this.stream, { last_by_subj: subject });
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  private subject(key: string): string {
    if (!/^[-\w]+(\.[-\w]+)*$/.test(key)) throw new BusError('failed', `invalid key "${key}"`);
    return this.subjectPrefix + key;
  }

  private async attempt<T>(name: string, operation: (client: JetStream) => Promise<T>): Promise<T> {
    const fromMs = performance.now();
    let ok = false;
    try {
      const result = await operation(await this.open());
      ok = true;
      return result;
    } catch (error) {
      const refused = busError(error);
      // To have lost a compare-and-set is an answer, too.
      ok = refused.code === 'conflict';
      throw refused;
    } finally {
      this.onEnd?.(name, performance.now() - fromMs, ok);
    }
  }
}

function isDeletion(stored: StoredMsg): boolean {
  const operation = stored.header?.get('KV-Operation');
  return operation === 'DEL' || operation === 'PURGE';
}
