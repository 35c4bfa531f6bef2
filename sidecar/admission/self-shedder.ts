/**
 * Whether the proxy itself can bear more: it refuses a share of new requests when its event loop lags or its heap is nearly
 * full. Without that an overloaded proxy answers everything late, and then dies of what it still accepts. Buffers have a
 * budget and an order of their own: were requests shed for them, readers that stand still could keep everybody out.
 *
 * A share, not all or nothing: shedding everything empties the proxy, letting everything in floods it again. The share
 * grows while the loop lags and shrinks once it is well again; between the two thresholds it stays (hysteresis).
 */
export interface SelfShedderOptions {
  /** Lag of the event loop that is too much when it lasts; 0 = never. */
  readonly lagMsMax: number;
  /** Heap in use, of what it may be, that is too much at once; 0 = never. */
  readonly heapShareMax: number;
}

/** How long the lag has to last. */
const sustainMs = 500;
/** The loop is well again below this share of the limit. */
const lagWellShare = 0.5;
const lagStep = 0.1;
/** Something else may be making the loop late: some requests always pass, and show whether it is the requests. */
const lagShareMax = 0.9;
/** The heap is well again this much below its limit. */
const wellBelow = 0.05;
const fullShareMin = 0.5;

export class SelfShedder {
  /** The share of new requests to refuse, 0..1. */
  share = 0;
  private readonly lagMsMax: number;
  private readonly heapShareMax: number;
  private lateSinceMs = -1;
  private lagShare = 0;
  private heapShare = 0;
  /** What the share has added up to; a whole one is a refusal. */
  private owed = 0;

  constructor(options: SelfShedderOptions) {
    this.lagMsMax = options.lagMsMax;
    this.heapShareMax = options.heapShareMax;
  }

  get cause(): 'none' | 'lag' | 'heap' {
    if (this.share === 0) return 'none';
    return this.heapShare >= this.lagShare ? 'heap' : 'lag';
  }

  /** How it is now; call it about ten times a second. */
  sample(nowMs: number, lagMs: number, heapShare: number): void {
    if (this.lagMsMax > 0) this.sampleLag(nowMs, lagMs);
    if (this.heapShareMax > 0) this.heapShare = shareWhenFull(this.heapShare, heapShare, this.heapShareMax);
    this.share = Math.max(this.lagShare, this.heapShare);
  }

  /** Asked once for each new request. */
  refusesNext(): boolean {
    if (this.share === 0) return false;
    this.owed += this.share;
    if (this.owed < 1) return false;
    this.owed -= 1;
    return true;
  }

  private sampleLag(nowMs: number, lagMs: number): void {
    if (lagMs < this.lagMsMax) {
      this.lateSinceMs = -1;
      if (lagMs < this.lagMsMax * lagWellShare) this.lagShare = step(this.lagShare, -lagStep);
      return;
    }
    if (this.lateSinceMs < 0) this.lateSinceMs = nowMs;
    if (nowMs - this.lateSinceMs >= sustainMs) this.lagShare = step(this.lagShare, lagStep);
  }
}

/** Half of the requests at the limit, all of them halfway between it and the end; none once it is well below. */
function shareWhenFull(before: number, used: number, max: number): number {
  if (used >= max) return Math.min(1, fullShareMin + (used - max) / Math.max(1 - max, 0.01));
  return used < max - wellBelow ? 0 : before;
}

/** In tenths, exactly: sums of 0.1 would never come back to 0. */
function step(share: number, by: number): number {
  return Math.min(lagShareMax, Math.max(0, Math.round((share + by) * 10) / 10));
}
