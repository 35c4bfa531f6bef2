/** Who leads which group of shards, as the store tells everybody: every write of a lease with the time it was heard. */
import { connect, type NatsConnection } from 'nats';
import { leaseGroupCount } from '../../control-plane/coordination/shard-owners.ts';
import { member } from '../../proto/policy/problems.ts';
import { republish } from '../../proto/subjects.ts';

interface SeenLease {
  /** '' when it was given up. */
  readonly holder: string;
  readonly atMs: number;
}

export class LeaseWatch {
  private readonly connection: NatsConnection;
  private readonly seen = new Map<string, SeenLease>();

  private constructor(connection: NatsConnection) {
    this.connection = connection;
    connection.subscribe(republish.lease, {
      callback: (error, message) => {
        if (error || message.data.length === 0) return;
        const record = message.json<unknown>();
        const holder = member(record, 'released') === true ? '' : String(member(record, 'holder'));
        this.seen.set(message.subject, { holder, atMs: performance.now() });
      },
    });
  }

  static async open(servers: string | readonly string[]): Promise<LeaseWatch> {
    const connection = await connect({
      servers: typeof servers === 'string' ? servers : [...servers],
      maxReconnectAttempts: -1,
      reconnectTimeWait: 50,
    });
    const watch = new LeaseWatch(connection);
    await connection.flush();
    return watch;
  }

  /** How many groups each one leads whose leases were renewed in the last second. */
  shares(): Record<string, number> {
    const shares: Record<string, number> = {};
    for (const { holder, atMs } of this.seen.values()) {
      if (holder === '' || performance.now() - atMs > 1000) continue;
      shares[holder] = (shares[holder] ?? 0) + 1;
    }
    return shares;
  }

  /** Every group is led, and by nobody else than these. */
  isLedBy(...holders: readonly string[]): boolean {
    const shares = this.shares();
    const led = Object.values(shares).reduce((a, b) => a + b, 0);
    return led === leaseGroupCount && Object.keys(shares).every((holder) => holders.includes(holder));
  }

  /** Anything, by anybody. */
  say(subject: string, text: string): void {
    this.connection.publish(subject, text);
  }

  close(): Promise<void> {
    return this.connection.close();
  }
}
