/**
 * What was done, and what was refused: read back from the events stream, newest first; and the denials on their way into
 * it. Denials come as fast as strangers like, so beyond a bound they are only counted, and the count is recorded.
 */
import type { AuditEntryView } from '../../proto/api-access.ts';
import { isRecord } from '../../proto/policy/problems.ts';
import { streams } from '../../proto/subjects.ts';
import type { Audit } from './audit.ts';
import type { Bus } from './bus.ts';
import type { Clock } from './clock.ts';
import { attempt, type Outcome } from './outcomes.ts';
import { readJson } from './policy-records.ts';
import { ownEvents } from './token-service.ts';

export const pageDefault = 50;
/** Denials recorded one by one in a minute; the others of that minute as one entry. */
export const denialsPerMinuteMax = 30;
const minuteMs = 60_000;

export interface Denied {
  /** As far as it is known. */
  readonly by: string;
  readonly action: string;
  readonly why: string;
  readonly from: string;
}

type Page = Outcome<{ readonly items: AuditEntryView[]; readonly before?: number | undefined }>;

export class AuditLog {
  private readonly bus: Bus;
  private readonly audit: Audit;
  private readonly clock: Clock;
  private minuteBeganMs = Number.NEGATIVE_INFINITY;
  private denials = 0;
  /** Since the start, recorded or not. */
  deniedTotal = 0;

  constructor(bus: Bus, audit: Audit, clock: Clock) {
    this.bus = bus;
    this.audit = audit;
    this.clock = clock;
  }

  denied(denied: Denied): void {
    this.deniedTotal++;
    const nowMs = this.clock.nowMs();
    if (nowMs - this.minuteBeganMs >= minuteMs) this.beginMinute(nowMs);
    if (++this.denials <= denialsPerMinuteMax) this.record({ ...denied });
  }

  /** Now and then, so that the count of a flood is recorded also when it has ended. */
  tick(): void {
    if (this.denials > 0 && this.clock.nowMs() - this.minuteBeganMs >= minuteMs) this.beginMinute(this.clock.nowMs());
  }

  /** `kind`: of all, if undefined. */
  async recent(kind: string | undefined, limit: number, before: number | undefined): Promise<Page> {
    return attempt<{ readonly items: AuditEntryView[]; readonly before?: number | undefined }>(
      this.bus.isConnected(),
      async () => {
        const kinds = kind === undefined ? auditedKinds : [kind];
        const subjectPrefixes = kinds.map((each) => `${streams.eventsSubject.replace('>', each)}.`);
        const page = await this.bus.recent(streams.events, { subjectPrefixes, limit, before });
        const items = page.messages.map(({ sequence, data, atMs }): AuditEntryView => {
          const entry = readJson(data);
          const text = (field: string): string => {
            const value = isRecord(entry) ? entry[field] : undefined;
            return typeof value === 'string' ? value : '';
          };
          const at = text('at') || new Date(atMs).toISOString();
          return { sequence, at, kind: text('kind'), by: text('by'), entry };
        });
        return { kind: 'ok', items, before: page.before };
      },
    );
  }

  private beginMinute(nowMs: number): void {
    const more = this.denials - denialsPerMinuteMax;
    this.denials = 0;
    this.minuteBeganMs = nowMs;
    if (more > 0) this.record({ by: '', action: '', why: `${more} more were denied in a minute`, from: '' });
  }

  private record(denied: Denied): void {
    const at = new Date(this.clock.wallMs()).toISOString();
    this.audit.record(streams.event('denied', ownEvents), { v: 1, kind: 'denied', at, ...denied });
  }
}

export const auditedKinds: readonly string[] = ['policy', 'rollout', 'dead-letters', 'token', 'denied'];
