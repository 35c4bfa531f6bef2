/** What happened lately, for people: the newest last, a ring. The lasting record is the events stream. */
import type { EventView } from '../../proto/api.ts';

export const eventsMax = 50;

export type EventKind = 'breaker' | 'policy' | 'instance' | 'leader';

export class EventFeed {
  private readonly events: EventView[] = [];

  add(kind: EventKind, target: string, text: string, wallMs: number): void {
    this.events.push({ at: new Date(wallMs).toISOString(), kind, target, text });
    if (this.events.length > eventsMax) this.events.shift();
  }

  list(): EventView[] {
    return [...this.events];
  }
}
