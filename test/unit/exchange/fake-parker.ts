/** A parker that stores in a list, and confirms when it is told to. */
import { type Parkable, type Parker, ParkingMemory } from '../../../sidecar/exchange/parker.ts';

export class FakeParker implements Parker {
  memory = new ParkingMemory(1024);
  isReachable = true;
  readonly stored: { request: Parkable; body: string; messagesMax: number }[] = [];
  private readonly unanswered: ((result: number) => void)[] = [];
  private references = 0;

  nextReference(): string {
    this.references++;
    return `ref-${this.references}`;
  }

  park(request: Parkable, body: Buffer, messagesMax: number, onResult: (result: number) => void): void {
    this.stored.push({ request, body: body.toString('latin1'), messagesMax });
    this.unanswered.push(onResult);
  }

  /** Of the oldest that waits for it. */
  answer(result: number): void {
    this.unanswered.shift()?.(result);
  }
}
