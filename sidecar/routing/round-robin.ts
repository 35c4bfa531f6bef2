/** One endpoint after the other. It begins anywhere, so that many callers do not begin at the same one. */
import type { Random } from '../../proto/kernel/random.ts';
import type { Endpoint } from './endpoint.ts';

export class RoundRobin {
  private readonly random: Random;
  private endpoints: readonly Endpoint[] = [];
  private next = 0;

  constructor(random: Random) {
    this.random = random;
  }

  setEndpoints(endpoints: readonly Endpoint[]): void {
    this.endpoints = endpoints;
    this.next = Math.floor(this.random.next() * Math.max(1, endpoints.length));
  }

  pick(nowMs: number): Endpoint | undefined {
    const { endpoints } = this;
    let standIn: Endpoint | undefined;
    for (let step = 0; step < endpoints.length; step++) {
      const endpoint = endpoints[this.next]!;
      this.next = this.next + 1 < endpoints.length ? this.next + 1 : 0;
      if (endpoint.isOut(nowMs)) continue;
      if (!endpoint.slowStart.standsBack(nowMs)) return endpoint;
      standIn ??= endpoint;
    }
    // Everyone is warming up, or out.
    return standIn ?? endpoints[this.next];
  }

  onAnswer(): void {}
}
