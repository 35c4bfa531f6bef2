/**
 * What is known of one instance that shares a fleet limit: what it asks for, what it admits, what it may hold. A process that
 * was restarted is another one.
 */
import type { Identity, QuotaReport } from '../../proto/fleet-messages.ts';
import { QuotaHoldings } from './quota-holdings.ts';

/** What 100 ms leave of the mean so far: of a quick mean, and of a steady one. */
const quickRest = 0.1;
const steadyRest = 0.9;
/**
 * Demand that comes by chance, one request after the other, makes the quick mean stray by about 2.3·√rate. Beyond 2.5 times
 * that it is no chance. To follow chance would cost: what one instance gives up is not at another for 100 ms.
 */
const strayMax = 8;

export interface HeardQuota {
  readonly identity: Identity;
  readonly seq: number;
  readonly intervalMs: number;
  readonly quota: QuotaReport;
}

/** Under which it is kept. */
export function memberKey({ instance, incarnation }: Identity): string {
  return `${instance} ${incarnation}`;
}

export class QuotaMember {
  readonly identity: Identity;
  readonly holdings = new QuotaHoldings();
  heardAtMs = Number.NEGATIVE_INFINITY;
  /** The last report; 0 once it was answered. */
  unansweredSeq = 0;
  /** Cost per second, without what is chance. */
  demand = 0;
  admittedRate = 0;
  /** The most that it may admit, at this tick. */
  most = 0;
  /** What it said that it admits now. */
  rate = 0;
  chunkLeft = 0;
  /** It knows this leader, and takes nothing of another. */
  isOurs = false;
  /** How many instances it was told that there are, by this leader; while another one leads, by that. */
  echo = 0;
  /** By its last word it holds a grant, of whatever leader. */
  hasHeld = false;
  /** It may have more than a newcomer. */
  isEstablished = false;
  /** It was counted among those who held something of a leader before this one. */
  isFormer = false;
  /** It said goodbye; what it says later is late. */
  hasLeft = false;
  private lastSeq = 0;
  private quickDemand = 0;

  constructor(identity: Identity) {
    this.identity = identity;
  }

  /** False when the report was overtaken, or is a duplicate. */
  hear({ seq, intervalMs, quota }: HeardQuota, nowMs: number): boolean {
    this.heardAtMs = nowMs;
    if (seq <= this.lastSeq || this.hasLeft) return false;
    this.lastSeq = seq;
    this.unansweredSeq = seq;
    this.rate = quota.ratePerSecond;
    this.chunkLeft = quota.chunkLeft;
    if (intervalMs > 0) this.count(quota, intervalMs);
    return true;
  }

  /** Another leader begins, which the instance does not know yet. */
  lead(): void {
    this.isOurs = false;
    this.isFormer = true;
    this.isEstablished = this.hasHeld;
    this.echo = 0;
  }

  /** The report that is answered now. */
  answer(): number {
    const seq = this.unansweredSeq;
    this.unansweredSeq = 0;
    return seq;
  }

  leave(): void {
    this.hasLeft = true;
    this.isEstablished = false;
    this.unansweredSeq = 0;
    this.demand = 0;
    this.admittedRate = 0;
    this.holdings.clear();
  }

  private count(quota: QuotaReport, intervalMs: number): void {
    const demand = (quota.demand * 1000) / intervalMs;
    const admitted = (quota.admitted * 1000) / intervalMs;
    const quick = 1 - quickRest ** (intervalMs / 100);
    this.quickDemand += quick * (demand - this.quickDemand);
    this.admittedRate += quick * (admitted - this.admittedRate);
    const hasMoved = Math.abs(this.quickDemand - this.demand) > strayMax * Math.sqrt(this.demand);
    if (hasMoved) this.demand = this.quickDemand;
    else this.demand += (1 - steadyRest ** (intervalMs / 100)) * (demand - this.demand);
  }
}
