/**
 * What one instance may have in its hands of a fleet limit: every grant that was sent to it, until it is known to hold a
 * later one. It holds exactly one of them, or what that one has become with time:
 *
 *   rate until leaseEndsMs ─▶ safe rate until safeEndsMs ─▶ the newcomer's part, which the caller adds
 *
 * The ends are those of the leader's clock: it heard the report after it was sent, so the holder's time is up before.
 */
export interface SentGrant {
  /** The report that it answers; 0: what the holder said that it has of another leader. */
  readonly seq: number;
  readonly rate: number;
  readonly safeRate: number;
  readonly leaseEndsMs: number;
  readonly safeEndsMs: number;
}

/** A report comes every 100 ms and says what is held, so more than three or four are in flight only if answers are lost. */
const sentMax = 8;

export class QuotaHoldings {
  private sent: SentGrant[] = [];

  add(grant: SentGrant): void {
    this.sent.push(grant);
    if (this.sent.length <= sentMax) return;
    // Two become one that is as much as either.
    const [first, second, ...later] = this.sent;
    this.sent = [atLeastBoth(first!, second!), ...later];
  }

  /** The holder has this one: it refuses whatever came before. */
  confirm(seq: number): void {
    if (this.sent.length > 1 || this.sent[0]?.seq !== seq) this.sent = this.sent.filter((grant) => grant.seq >= seq);
  }

  /** What it said that it has of another leader, in place of what it said before. */
  assume(grant: Omit<SentGrant, 'seq'>): void {
    this.sent = [{ ...grant, seq: 0 }, ...this.sent.filter(({ seq }) => seq > 0)];
  }

  /** Nothing but this. */
  is(grant: SentGrant): void {
    this.sent = [grant];
  }

  clear(): void {
    this.sent = [];
  }

  /** The most that it may admit now, cost per second, and at any time from now on. */
  most(nowMs: number): number {
    let most = 0;
    for (const grant of this.sent) {
      const rate = nowMs < grant.leaseEndsMs ? Math.max(grant.rate, grant.safeRate) : grant.safeRate;
      if (nowMs < grant.safeEndsMs && rate > most) most = rate;
    }
    return most;
  }

  /** Nothing that was ever sent to it counts any more. */
  isEmpty(nowMs: number): boolean {
    return this.sent.every(({ safeEndsMs }) => nowMs >= safeEndsMs);
  }
}

function atLeastBoth(left: SentGrant, right: SentGrant): SentGrant {
  return {
    seq: Math.max(left.seq, right.seq),
    rate: Math.max(left.rate, right.rate),
    safeRate: Math.max(left.safeRate, right.safeRate),
    leaseEndsMs: Math.max(left.leaseEndsMs, right.leaseEndsMs),
    safeEndsMs: Math.max(left.safeEndsMs, right.safeEndsMs),
  };
}
