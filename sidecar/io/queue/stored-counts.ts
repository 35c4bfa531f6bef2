/** How much is parked for the own service, and how much of it is dead, asked for every few seconds. */
import { jitter, type Random } from '../../../proto/kernel/random.ts';
import { type ServiceName, streams } from '../../../proto/subjects.ts';
import type { Bus } from '../control-link/bus.ts';
import { messagesIn } from './jet-stream.ts';

const everyMs = 5000;

export class StoredCounts {
  /** -1 = not known. */
  parked = -1;
  dead = -1;
  private readonly bus: Bus;
  private readonly service: ServiceName;
  private readonly random: Random;
  private timer: NodeJS.Timeout | null = null;
  private isClosed = false;

  constructor(bus: Bus, service: ServiceName, random: Random) {
    this.bus = bus;
    this.service = service;
    this.random = random;
    void this.ask();
  }

  close(): void {
    this.isClosed = true;
    if (this.timer !== null) clearTimeout(this.timer);
  }

  private async ask(): Promise<void> {
    const { bus, service } = this;
    const [parked, dead] = await Promise.all([
      messagesIn(bus, streams.retry, streams.retrySubject(service)).catch(() => -1),
      messagesIn(bus, streams.dead, streams.deadSubject(service)).catch(() => -1),
    ]);
    this.parked = parked;
    this.dead = dead;
    if (!this.isClosed) this.timer = setTimeout(() => void this.ask(), jitter(everyMs, 0.2, this.random));
  }
}
