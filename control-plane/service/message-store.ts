/** A stream whose messages are looked at and taken out one by one. */
export interface StoredMessage {
  /** Names it for as long as it is there. */
  readonly sequence: number;
  readonly subject: string;
  readonly data: Uint8Array;
  /** '' when it has none of that name. */
  header(name: string): string;
}

export interface MessageStore {
  /** The first at or behind `from` whose subject matches. */
  next(from: number, subject: string): Promise<StoredMessage | undefined>;
  get(sequence: number): Promise<StoredMessage | undefined>;
  /** False when there was none. */
  delete(sequence: number): Promise<boolean>;
  /** Answers how many are gone. */
  purge(subject: string): Promise<number>;
  /** How many there are by subject. */
  counts(subject: string): Promise<ReadonlyMap<string, number>>;
  lastSequence(): Promise<number>;
  /** Resolves when it is stored; BusError `full` at a bound of the stream. */
  put(subject: string, data: Uint8Array, headers: Readonly<Record<string, string>>): Promise<void>;
}
