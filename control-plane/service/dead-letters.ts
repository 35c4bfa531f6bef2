/**
 * Requests that were parked and cannot be delivered: looked at, sent again, thrown away. A letter goes back to the queue
 * before it leaves the dead ones: whatever breaks between the two, it is in both and never in neither.
 */
import type { DeadLetterDetail, DeadLetterView } from '../../proto/api.ts';
import { decodeParked, encodeParked, type ParkedRequest, parkedHeader } from '../../proto/parked.ts';
import { parseServiceKey, streams } from '../../proto/subjects.ts';
import type { Audit } from './audit.ts';
import type { Clock } from './clock.ts';
import type { MessageStore, StoredMessage } from './message-store.ts';

/** Of a body that is shown. */
export const shownBodyBytesMax = 64 * 1024;
/** A page reads each letter by itself. */
export const pageMax = 100;

export interface DeadLettersOptions {
  readonly retry: MessageStore;
  readonly dead: MessageStore;
  readonly audit: Pick<Audit, 'record'>;
  readonly clock: Clock;
}

export interface DeadLetterPage {
  readonly items: DeadLetterView[];
  /** Of the next page; absent on the last. */
  readonly next?: number;
}

export class DeadLetters {
  private readonly options: DeadLettersOptions;

  constructor(options: DeadLettersOptions) {
    this.options = options;
  }

  /** The oldest first. `target`: undefined = of all services. */
  async list(target: string | undefined, from: number, limit: number): Promise<DeadLetterPage> {
    const subject = subjectOf(target);
    const items: DeadLetterView[] = [];
    let at = from;
    for (;;) {
      const message = await this.options.dead.next(at, subject);
      if (message === undefined) return { items };
      if (items.length === limit) return { items, next: message.sequence };
      items.push(viewOf(message));
      at = message.sequence + 1;
    }
  }

  /** How many there are, by service. */
  async counts(): Promise<Record<string, number>> {
    const all = await this.options.dead.counts(streams.deadSubjects);
    return Object.fromEntries([...all].map(([subject, count]) => [targetOf(subject), count]));
  }

  async show(sequence: number): Promise<DeadLetterDetail | undefined> {
    const message = await this.options.dead.get(sequence);
    if (message === undefined) return undefined;
    const { headers = [], isGrpc = false, authority = '' } = decodeParked(message.header(parkedHeader)) ?? {};
    const shown = message.data.subarray(0, shownBodyBytesMax);
    return {
      ...viewOf(message),
      isGrpc,
      authority,
      headers: headers.map(([name, value]) => ({ name, value })),
      body: Buffer.from(shown).toString('base64'),
      isTruncated: shown.length < message.data.length,
    };
  }

  /** False when there is none of that number. */
  async discard(sequence: number, by: string): Promise<boolean> {
    const message = await this.options.dead.get(sequence);
    if (message === undefined || !(await this.options.dead.delete(sequence))) return false;
    this.record('discarded', targetOf(message.subject), by, { letter: viewOf(message) });
    return true;
  }

  async discardAll(target: string, by: string): Promise<number> {
    const count = await this.options.dead.purge(subjectOf(target));
    this.record('discarded', target, by, { count });
    return count;
  }

  /** Back to the queue, with all its deliveries. False when there is none of that number, or it cannot be read. */
  async redrive(sequence: number): Promise<boolean> {
    const { dead } = this.options;
    const message = await dead.get(sequence);
    return message !== undefined && (await this.revive(message)) && (await dead.delete(sequence));
  }

  /** Of a service, those from `from` to `last`: the next one is redriven. Answers where to go on; undefined at the end. */
  async redriveNext(target: string, from: number, last: number): Promise<{ next: number; moved: boolean } | undefined> {
    const { dead } = this.options;
    const message = await dead.next(from, subjectOf(target));
    if (message === undefined || message.sequence > last) return undefined;
    const moved = await this.revive(message);
    if (moved) await dead.delete(message.sequence);
    return { next: message.sequence + 1, moved };
  }

  lastSequence(): Promise<number> {
    return this.options.dead.lastSequence();
  }

  record(action: string, target: string, by: string, more: Readonly<Record<string, unknown>>): void {
    const name = parseServiceKey(target);
    if (name === undefined) return;
    const at = new Date(this.options.clock.wallMs()).toISOString();
    this.options.audit.record(streams.event('dead-letters', name), { action, target, by, at, ...more });
  }

  private async revive(message: StoredMessage): Promise<boolean> {
    const parked = decodeParked(message.header(parkedHeader));
    const name = parseServiceKey(targetOf(message.subject));
    if (parked === undefined || name === undefined) return false;
    const { death: _, ...rest } = parked;
    await this.options.retry.put(streams.retrySubject(name), message.data, {
      // Its time begins anew, else what is too old would be so for ever.
      [parkedHeader]: encodeParked({ ...rest, parkedAtMs: this.options.clock.wallMs() }),
      'Nats-Msg-Id': `redriven-${parked.reference}-${message.sequence}`,
    });
    return true;
  }
}

function subjectOf(target: string | undefined): string {
  const name = target === undefined ? undefined : parseServiceKey(target);
  return name === undefined ? streams.deadSubjects : streams.deadSubject(name);
}

/** `weir.dlq.<ns>.<svc>` */
function targetOf(subject: string): string {
  return subject.split('.').slice(2).join('/');
}

function viewOf(message: StoredMessage): DeadLetterView {
  const parked: Partial<ParkedRequest> = decodeParked(message.header(parkedHeader)) ?? {};
  const { reference = '', from = '', reason = '', method = '', path = '', parkedAtMs = 0, death } = parked;
  return {
    sequence: message.sequence,
    target: targetOf(message.subject),
    reference,
    from,
    method,
    path,
    bytes: message.data.length,
    parkedAt: new Date(parkedAtMs).toISOString(),
    parkedFor: reason,
    diedAt: new Date(death?.atMs ?? 0).toISOString(),
    reason: death?.reason ?? 'undecodable',
    answer: death?.answer ?? '',
    deliveries: death?.deliveries ?? 0,
    instance: death?.instance ?? '',
  };
}
