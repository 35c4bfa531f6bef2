/** Parking in a worker: the main thread has the connection, and stores for all of them. */
import { type Parkable, type Parker, ParkingMemory } from '../../exchange/parker.ts';
import { tick } from '../clock.ts';
import type { FromWorker, WorkerStart } from './messages.ts';

export class WorkerParker implements Parker {
  readonly memory: ParkingMemory;
  private readonly prefix: string;
  private readonly reach: Int32Array;
  private readonly say: (message: FromWorker) => void;
  private readonly waiting = new Map<number, (result: number) => void>();
  private references = 0;
  private parked = 0;

  constructor({ seat, seats, seed, config, parking }: WorkerStart, say: (message: FromWorker) => void) {
    // The seed is another one for the next worker at this seat.
    this.prefix = `${parking.incarnation}-${seat}${seed.toString(36)}`;
    this.reach = new Int32Array(parking.reach);
    const held = this.reach.subarray(1 + seat);
    this.memory = new ParkingMemory(Math.floor(config.parkingMemoryMax / seats), held);
    this.say = say;
  }

  get isReachable(): boolean {
    return Atomics.load(this.reach, 0) === 1;
  }

  nextReference(): string {
    this.references++;
    return `${this.prefix}-${this.references.toString(36)}`;
  }

  park(request: Parkable, body: Buffer, messagesMax: number, onResult: (result: number) => void): void {
    this.parked++;
    this.waiting.set(this.parked, onResult);
    this.say({ kind: 'park', id: this.parked, request, body, messagesMax });
  }

  onResult(id: number, result: number): void {
    const onResult = this.waiting.get(id);
    this.waiting.delete(id);
    tick();
    onResult?.(result);
  }
}
