/** The one key of a lease in a simulated bucket: compare-and-set, elections, and a bucket that is wiped. */
import type { LeaseAction, LeaseRecord, LeaseResult } from '../../../control-plane/coordination/leader-lease.ts';

export class LeaseStore {
  /** JetStream answers; not while its raft elects, nor on the side without a majority. */
  isUp = true;
  /** The side of the network that it is on. */
  side = 0;
  private revision = 0;
  private record: LeaseRecord | null = null;
  private createdMs = 1;

  wipe(atMs: number): void {
    this.revision = 0;
    this.record = null;
    this.createdMs = 2 + Math.round(atMs);
  }

  answer(action: Exclude<LeaseAction, { kind: 'wait' }>): LeaseResult {
    const { createdMs: streamCreatedMs } = this;
    if (action.kind === 'read') return { kind: 'read', revision: this.revision, record: this.record, streamCreatedMs };
    if (action.expectedRevision !== this.revision) return { kind: 'conflict' };
    this.revision++;
    this.record = action.record;
    return { kind: 'written', revision: this.revision, streamCreatedMs };
  }
}
