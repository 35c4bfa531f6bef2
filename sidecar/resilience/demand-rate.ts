/** How many requests a second are wanted of a target, over the last seconds: what a ramp is a share of. */
const tauMs = 3000;

export class DemandRate {
  perSecond = 0;

  record(count: number, intervalMs: number): void {
    if (intervalMs <= 0) return;
    const share = 1 - Math.exp(-intervalMs / tauMs);
    this.perSecond += share * ((count * 1000) / intervalMs - this.perSecond);
  }
}
