/**
 * What parking needs of the world: somewhere to store a request, and memory for the content that may have to be. The edge
 * stores in JetStream; tests store in a list.
 */
import type { ParkedRequest } from '../../proto/parked.ts';

/** What became of a request that was to be parked; index into the counters. */
export const ParkResult = {
  /** It is stored, and its caller has the reference. */
  parked: 0,
  /** In shadow. */
  wouldPark: 1,
  /** Its content is longer than the policy allows. */
  tooLong: 2,
  /** There is no memory for its content. */
  noMemory: 3,
  /** Its content did not come in time, or has trailers. */
  notWhole: 4,
  /** No connection to NATS, or no stream. */
  unreachable: 5,
  /** The policy's bound, or the stream's. */
  full: 6,
  /** No answer in time, or an error: it may be stored all the same. */
  unconfirmed: 7,
} as const;

export const parkResultNames = [
  'parked',
  'would_park',
  'too_long',
  'no_memory',
  'not_whole',
  'unreachable',
  'full',
  'unconfirmed',
] as const;

export type Parkable = Omit<ParkedRequest, 'v' | 'from' | 'parkedAtMs' | 'death'>;

export interface Parker {
  readonly memory: ParkingMemory;
  /** Whether there is somewhere to store now. */
  readonly isReachable: boolean;
  /** Unique among all sidecars and for ever. */
  nextReference(): string;
  /** Answers once, with a ParkResult, and never before it returns. */
  park(request: Parkable, body: Buffer, messagesMax: number, onResult: (result: number) => void): void;
}

/** A request that may be parked, as its side sees it. */
export interface MayPark {
  /** Its Idempotency-Key, for all attempts and deliveries. */
  readonly key: string;
}

/** What the content of requests that may be parked holds in this process. At the bound a request is not parkable. */
export class ParkingMemory {
  readonly bytesMax: number;
  /** One number, which another thread may read. */
  private readonly held: Int32Array;

  constructor(bytesMax: number, held: Int32Array = new Int32Array(1)) {
    this.bytesMax = bytesMax;
    this.held = held;
  }

  get heldBytes(): number {
    return this.held[0]!;
  }

  tryTake(bytes: number): boolean {
    if (this.heldBytes + bytes > this.bytesMax) return false;
    this.held[0]! += bytes;
    return true;
  }

  give(bytes: number): void {
    this.held[0]! -= bytes;
  }
}
