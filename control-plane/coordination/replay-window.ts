/**
 * Recognises a report that was heard before, by (incarnation, seq) of one instance. The highest sequence number and a
 * bitmap of the 32 below it, as IPsec does it (RFC 4303 §3.4.3): reports that overtook each other still count, the
 * same report twice does not, and the memory is constant. A restart is a new incarnation with numbers of its own;
 * what its former self said and was late is refused.
 */
const width = 32;

export class ReplayWindow {
  private incarnation = '';
  private former = '';
  private highest = 0;
  /** Bit i: `highest - i` was heard. */
  private heard = 0;

  /** True the first time a sequence number is heard. */
  accept(incarnation: string, seq: number): boolean {
    if (!this.meet(incarnation)) return false;
    if (seq > this.highest) {
      const ahead = seq - this.highest;
      this.heard = ahead >= width ? 1 : ((this.heard << ahead) | 1) >>> 0;
      this.highest = seq;
      return true;
    }
    const behind = this.highest - seq;
    if (behind >= width) return false;
    const bit = (1 << behind) >>> 0;
    if ((this.heard & bit) !== 0) return false;
    this.heard = (this.heard | bit) >>> 0;
    return true;
  }

  /** Takes note of who speaks now: false when it is the incarnation that was replaced. */
  meet(incarnation: string): boolean {
    if (incarnation === this.incarnation) return true;
    if (incarnation === this.former) return false;
    this.former = this.incarnation;
    this.incarnation = incarnation;
    this.highest = 0;
    this.heard = 0;
    return true;
  }

  isOf(incarnation: string): boolean {
    return this.incarnation === incarnation;
  }
}
