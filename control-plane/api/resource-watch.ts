/**
 * A list that is kept up to date: whoever watches gets every object first (`added`, then `synced`), and from then on what
 * is added, modified or deleted. What happens between two looks is one event; what is missed is not sent again: who was
 * cut off connects again and is given everything.
 */
import type { ServerResponse } from 'node:http';
import { SseClients } from './sse-clients.ts';

export interface Watched {
  readonly namespace: string;
  readonly name: string;
  readonly version: string;
  readonly object: unknown;
}

/** Several changes at once are looked at together. */
const lookDelayMs = 20;

export class ResourceWatch {
  private readonly clients = new SseClients<string | undefined>();
  private readonly list: () => Watched[];
  private known = new Map<string, Watched>();
  private pending: NodeJS.Timeout | undefined;

  constructor(list: () => Watched[]) {
    this.list = list;
  }

  isFull(): boolean {
    return this.clients.isFull();
  }

  /** `namespace`: undefined = all. */
  add(response: ServerResponse, namespace: string | undefined, mayListen: () => boolean): void {
    // Those who watch already are told first: from here on all know the same.
    if (this.clients.size > 0) this.look();
    else this.known = byKey(this.list());
    const all = [...this.known.values()].filter((one) => namespace === undefined || one.namespace === namespace);
    const first = all.map((one) => eventOf('added', one)).join('');
    this.clients.add(response, namespace, mayListen, `${first}event: synced\ndata: {}\n\n`);
  }

  changed(): void {
    if (this.pending || this.clients.size === 0) return;
    this.pending = setTimeout(() => {
      this.pending = undefined;
      this.look();
    }, lookDelayMs);
  }

  close(): void {
    clearTimeout(this.pending);
    this.clients.close();
  }

  private look(): void {
    const now = byKey(this.list());
    for (const { type, one } of changesOf(this.known, now))
      this.clients.send(eventOf(type, one), (namespace) => namespace === undefined || namespace === one.namespace);
    this.known = now;
  }
}

export type ChangeType = 'added' | 'modified' | 'deleted';

export function* changesOf(
  before: ReadonlyMap<string, Watched>,
  now: ReadonlyMap<string, Watched>,
): Generator<{ readonly type: ChangeType; readonly one: Watched }> {
  for (const [key, one] of now) {
    const known = before.get(key);
    if (known?.version !== one.version) yield { type: known ? 'modified' : 'added', one };
  }
  for (const [key, one] of before) if (!now.has(key)) yield { type: 'deleted', one };
}

export const byKey = (all: readonly Watched[]): Map<string, Watched> =>
  new Map(all.map((one) => [`${one.namespace}/${one.name}`, one]));

const eventOf = (type: string, { object }: Watched): string => `event: ${type}\ndata: ${JSON.stringify(object)}\n\n`;
