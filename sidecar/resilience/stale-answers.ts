/**
 * The last good answers of a service, for when it has none: bounded by entries and by bytes, the oldest go first, and an
 * answer is as old as its last renewal. What may be kept or given is decided elsewhere (exchange/cacheable.ts). It is a
 * cache for bad times only: nobody is answered from it while the service answers.
 *
 * Each thread has its own, with its part of the bounds: what one thread has seen, another need not know.
 */
export interface StaleSettings {
  readonly maxAgeMs: number;
  readonly entriesMax: number;
  readonly bytesMax: number;
  readonly answerBytesMax: number;
  /** Paths of the gRPC methods whose answers are kept. */
  readonly grpcPaths: ReadonlySet<string>;
}

export type StoredField = readonly [name: string, value: string];

export interface StoredAnswer {
  /** Request fields that the answer depends on; '' = absent. */
  readonly vary: readonly StoredField[];
  readonly status: number;
  readonly fields: readonly StoredField[];
  readonly body: Buffer;
  readonly trailers: readonly StoredField[] | null;
  readonly storedMs: number;
  /** It was that old when it came. */
  readonly ageMs: number;
  /** The answer's own bound on its age; infinite when it names none. */
  readonly maxAgeMs: number;
}

/** Of one request, by the fields that it varies by. */
export const variantsMax = 8;
/** What an entry costs beside its texts and octets. */
const entryBytes = 512;

export class StaleAnswers {
  private settings: StaleSettings;
  /** Oldest first. */
  private readonly byKey = new Map<string, readonly StoredAnswer[]>();
  private held = 0;
  private count = 0;

  constructor(settings: StaleSettings) {
    this.settings = settings;
  }

  get entries(): number {
    return this.count;
  }

  get bytes(): number {
    return this.held;
  }

  get answerBytesMax(): number {
    return this.settings.answerBytesMax;
  }

  keepsCallsOf(path: string): boolean {
    return this.settings.grpcPaths.has(path);
  }

  reconfigure(settings: StaleSettings): void {
    this.settings = settings;
    this.evict();
  }

  store(key: string, answer: StoredAnswer): void {
    if (answer.body.length > this.settings.answerBytesMax) return;
    const others = (this.byKey.get(key) ?? []).filter((one) => !isSameVariant(one, answer));
    this.remove(key);
    this.put(key, [...others.slice(1 - variantsMax), answer]);
    this.evict();
  }

  /** `fieldOf`: of a field of the request, '' when absent. */
  find(key: string, fieldOf: (name: string) => string, nowMs: number): StoredAnswer | null {
    const answers = this.byKey.get(key);
    if (answers === undefined) return null;
    const found = answers.find(({ vary }) => vary.every(([name, value]) => fieldOf(name) === value));
    if (found === undefined) return null;
    return this.ageOf(found, nowMs) <= Math.min(this.settings.maxAgeMs, found.maxAgeMs) ? found : null;
  }

  ageOf({ ageMs, storedMs }: StoredAnswer, nowMs: number): number {
    return ageMs + nowMs - storedMs;
  }

  private evict(): void {
    for (const key of this.byKey.keys()) {
      if (this.count <= this.settings.entriesMax && this.held <= this.settings.bytesMax) return;
      this.remove(key);
    }
  }

  private put(key: string, answers: readonly StoredAnswer[]): void {
    this.byKey.set(key, answers);
    this.count += answers.length;
    this.held += bytesOf(key, answers);
  }

  private remove(key: string): void {
    const answers = this.byKey.get(key);
    if (answers === undefined) return;
    this.byKey.delete(key);
    this.count -= answers.length;
    this.held -= bytesOf(key, answers);
  }
}

function isSameVariant(left: StoredAnswer, right: StoredAnswer): boolean {
  return (
    left.vary.length === right.vary.length &&
    left.vary.every(([name, value], i) => right.vary[i]![0] === name && right.vary[i]![1] === value)
  );
}

function bytesOf(key: string, answers: readonly StoredAnswer[]): number {
  const ofFields = (fields: readonly StoredField[]): number =>
    fields.reduce((sum, [name, value]) => sum + name.length + value.length + 64, 0);
  return answers.reduce(
    (sum, { vary, fields, body, trailers }) =>
      sum + entryBytes + body.length + ofFields(vary) + ofFields(fields) + ofFields(trailers ?? []),
    key.length,
  );
}
