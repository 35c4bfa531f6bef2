/**
 * All HTTP/2 connections to one endpoint, and who waits for one. What to do is decided in routing/connection-choice.ts;
 * here it is done: dial, hand out, replace, close.
 */
import type { Random } from '../../../proto/kernel/random.ts';
import { Reason } from '../../../proto/reasons.ts';
import type { UpstreamWaiter } from '../../exchange/http-stream.ts';
import type { ConnectionLimits } from '../../http2/limits.ts';
import { Backoff } from '../../resilience/backoff.ts';
import { defaultPulseSettings, type PulseSettings } from '../../resilience/pulse.ts';
import {
  chooseConnection,
  connectionsToDial,
  type DialFacts,
  isBlocked,
  wantsSpare,
} from '../../routing/connection-choice.ts';
import { clock } from '../clock.ts';
import type { UpstreamTls } from '../tls/upstream-tls.ts';
import { type Dialling, dial } from './dial.ts';
import type { PoolCounts } from './pool-counts.ts';
import { PooledConnection, type PooledConnectionOwner } from './pooled-connection.ts';

export interface PoolSettings {
  /** Connections to one endpoint. */
  readonly connectionsMax: number;
  /** A connection without streams for this long is closed. */
  readonly idleTimeoutMs: number;
  /** Requests that may wait for a connection to one endpoint; the next one is refused. */
  readonly waitersMax: number;
  /** A request that has no deadline of its own gives up waiting after this. */
  readonly waitMaxMs: number;
  /** How often idle connections and overdue waiters are looked for. */
  readonly tickMs: number;
  readonly pulse: PulseSettings;
}

export const defaultPoolSettings: PoolSettings = {
  connectionsMax: 64,
  idleTimeoutMs: 60_000,
  // A thousand callers with ten requests each arrive before the first connection stands.
  waitersMax: 16_384,
  waitMaxMs: 30_000,
  tickMs: 1000,
  pulse: defaultPulseSettings,
};

/** Short, since who arrives during a pause is refused: an app that restarts is found again within a second. */
const backoffSettings = { firstMs: 25, maxMs: 1000, jitterShare: 0.2 };

export interface EndpointView {
  readonly address: string;
  readonly connections: number;
  readonly dialling: number;
  readonly leaving: number;
  readonly streams: number;
  readonly waiting: number;
  /** '' unless the last attempt failed. */
  readonly failure: string;
}

export interface EndpointConnectionsOptions {
  readonly address: string;
  readonly limits: ConnectionLimits;
  readonly settings: PoolSettings;
  readonly random: Random;
  readonly tls: UpstreamTls | null;
  /** Of the whole pool. */
  readonly counts: PoolCounts;
}

export class EndpointConnections implements PooledConnectionOwner, DialFacts {
  readonly address: string;
  readonly connectionsMax: number;
  streamsPerConnection = -1;
  private readonly limits: ConnectionLimits;
  private readonly settings: PoolSettings;
  private readonly tls: UpstreamTls | null;
  private readonly counts: PoolCounts;
  private readonly backoff: Backoff;
  private readonly connections: PooledConnection[] = [];
  private readonly leaving = new Set<PooledConnection>();
  private readonly shakingHands = new Set<PooledConnection>();
  private readonly attempts = new Set<Dialling>();
  /** In the order of arrival, with the time of it. */
  private readonly waiters = new Map<UpstreamWaiter, number>();
  private retryTimer: NodeJS.Timeout | null = null;
  private connectTimeoutMs = 0;
  private failure = '';
  private isClosed = false;

  constructor(options: EndpointConnectionsOptions) {
    const { address, limits, settings, random, tls, counts } = options;
    this.address = address;
    this.tls = tls;
    this.limits = limits;
    this.settings = settings;
    this.counts = counts;
    this.connectionsMax = settings.connectionsMax;
    this.backoff = new Backoff(backoffSettings, random);
  }

  get open(): number {
    return this.connections.length;
  }

  get dialling(): number {
    return this.attempts.size + this.shakingHands.size;
  }

  get waiting(): number {
    return this.waiters.size;
  }

  /** Sockets, in whatever state. */
  get size(): number {
    return this.connections.length + this.leaving.size + this.shakingHands.size;
  }

  get isUnused(): boolean {
    return (
      this.size === 0 && this.attempts.size === 0 && this.waiters.size === 0 && !this.backoff.isWaiting(clock.nowMs)
    );
  }

  get bufferedBytes(): number {
    let bytes = 0;
    for (const { socket } of this.connections) bytes += socket.connection.outputQueuedBytes;
    for (const { socket } of this.leaving) bytes += socket.connection.outputQueuedBytes;
    return bytes;
  }

  view(): EndpointView {
    let streams = 0;
    for (const pooled of this.connections) streams += pooled.streamCount;
    for (const pooled of this.leaving) streams += pooled.streamCount;
    return {
      address: this.address,
      connections: this.open,
      dialling: this.dialling,
      leaving: this.leaving.size,
      streams,
      waiting: this.waiting,
      failure: this.failure,
    };
  }

  connect(connectTimeoutMs: number, waiter: UpstreamWaiter): void {
    const chosen = chooseConnection(this.connections, clock.nowMs);
    if (chosen >= 0) this.give(this.connections[chosen]!, waiter, connectTimeoutMs);
    else this.wait(waiter, connectTimeoutMs);
  }

  cancel(waiter: UpstreamWaiter): void {
    this.waiters.delete(waiter);
  }

  tick(nowMs: number): void {
    const idleSinceMs = nowMs - this.settings.idleTimeoutMs;
    for (let i = this.connections.length - 1; i >= 0; i--) {
      const pooled = this.connections[i]!;
      const isIdle = pooled.streamCount === 0 && pooled.quietSinceMs < idleSinceMs;
      // The engine may have had enough of its peer (glitches), which nobody is told.
      if (isIdle || pooled.socket.connection.isGoingAway) pooled.leave();
      else pooled.tick(nowMs);
    }
    for (const pooled of this.leaving) pooled.tick(nowMs);
    for (const [waiter, sinceMs] of this.waiters) {
      if (nowMs - sinceMs < this.settings.waitMaxMs) break;
      this.waiters.delete(waiter);
      this.counts.refused++;
      waiter.onConnectFailed(
        Reason.queueTimeout,
        `no room on the connections to ${this.address} in ${this.settings.waitMaxMs} ms`,
      );
    }
  }

  /** The endpoint is gone: what stands carries no new requests. */
  leave(): void {
    for (const pooled of [...this.connections]) pooled.leave();
  }

  /** Ends everything: in order where nothing is under way, at once where something is. */
  close(): void {
    this.isClosed = true;
    if (this.retryTimer !== null) clearTimeout(this.retryTimer);
    for (const attempt of this.attempts) attempt.abort();
    this.attempts.clear();
    for (const pooled of [...this.shakingHands, ...this.leaving]) pooled.destroy();
    for (const pooled of [...this.connections]) {
      if (pooled.streamCount === 0 && pooled.blockedSinceMs === Number.POSITIVE_INFINITY) pooled.leave();
      else pooled.destroy();
    }
    this.failWaiters(Reason.draining, 'the proxy is stopping');
  }

  // ── What connections tell ───────────────────────────────────────────────────────────────────────────────────────

  onOpen(pooled: PooledConnection): void {
    this.shakingHands.delete(pooled);
    this.connections.push(pooled);
    this.counts.connected++;
    this.streamsPerConnection = pooled.streamsMax;
    this.failure = '';
    this.onCapacity();
    this.dialIfNeeded();
  }

  onProven(): void {
    this.backoff.recordSuccess();
  }

  onCapacity(): void {
    while (this.waiters.size > 0) {
      const chosen = chooseConnection(this.connections, clock.nowMs);
      // The peer may also have changed how many streams it takes.
      if (chosen < 0) return this.dialIfNeeded();
      for (const waiter of this.waiters.keys()) {
        this.waiters.delete(waiter);
        this.give(this.connections[chosen]!, waiter, this.connectTimeoutMs);
        break;
      }
    }
  }

  onLeaving(pooled: PooledConnection, detail: string): void {
    this.remove(pooled);
    this.leaving.add(pooled);
    this.replace(pooled, detail);
  }

  onClosed(pooled: PooledConnection, detail: string): void {
    const wasLeaving = this.leaving.delete(pooled);
    this.remove(pooled);
    if (pooled.isOpen && !wasLeaving) this.counts.lost++;
    if (!wasLeaving) this.replace(pooled, detail || 'the peer closed the connection');
  }

  // ── Helpers ─────────────────────────────────────────────────────────────────────────────────────────────────────

  private give(pooled: PooledConnection, waiter: UpstreamWaiter, connectTimeoutMs: number): void {
    const { connection } = pooled.socket;
    pooled.use(clock.nowMs);
    if (isBlocked(pooled, clock.nowMs)) this.dialSpare(connectTimeoutMs);
    waiter.onConnection(connection);
    // The ids are used up.
    if (connection.isGoingAway) pooled.leave();
  }

  private wait(waiter: UpstreamWaiter, connectTimeoutMs: number): void {
    const { waitersMax } = this.settings;
    if (this.isClosed) return waiter.onConnectFailed(Reason.draining, 'the proxy is stopping');
    if (this.waiters.size >= waitersMax) {
      this.counts.refused++;
      return waiter.onConnectFailed(
        Reason.queueFull,
        `${waitersMax} requests wait for a connection to ${this.address} already`,
      );
    }
    if (this.open + this.dialling === 0 && this.backoff.isWaiting(clock.nowMs)) {
      const pauseMs = Math.ceil(this.backoff.untilMs - clock.nowMs);
      return waiter.onConnectFailed(Reason.upstreamConnect, `${this.failure}; the next attempt is in ${pauseMs} ms`);
    }
    this.connectTimeoutMs = connectTimeoutMs;
    this.waiters.set(waiter, clock.nowMs);
    this.dialIfNeeded();
  }

  private dialIfNeeded(): void {
    if (this.isClosed || this.waiters.size === 0) return;
    if (this.backoff.isWaiting(clock.nowMs)) return this.retryLater();
    if (this.open > 0) this.streamsPerConnection = this.connections[this.open - 1]!.streamsMax;
    for (let count = connectionsToDial(this); count > 0; count--) this.dial(this.connectTimeoutMs);
  }

  private dialSpare(connectTimeoutMs: number): void {
    const nowMs = clock.nowMs;
    if (this.isClosed || this.dialling > 0 || this.open >= this.connectionsMax || this.backoff.isWaiting(nowMs)) return;
    if (wantsSpare(this.connections, nowMs)) this.dial(connectTimeoutMs);
  }

  private retryLater(): void {
    if (this.retryTimer !== null) return;
    this.retryTimer = setTimeout(
      () => {
        this.retryTimer = null;
        this.dialIfNeeded();
      },
      Math.ceil(this.backoff.untilMs - clock.nowMs),
    );
  }

  private dial(timeoutMs: number): void {
    const untilMs = clock.nowMs + timeoutMs;
    const attempt = dial(
      this.address,
      { timeoutMs, tls: this.tls },
      {
        onConnected: (socket) => {
          this.attempts.delete(attempt);
          const leftMs = Math.max(1, untilMs - clock.nowMs);
          const pooled = new PooledConnection(socket, this.limits, this, leftMs, this.settings.pulse);
          this.shakingHands.add(pooled);
          return pooled.socket;
        },
        onFailed: (detail) => {
          this.attempts.delete(attempt);
          this.counts.failed++;
          this.onDialFailed(detail);
        },
      },
    );
    this.attempts.add(attempt);
  }

  private remove(pooled: PooledConnection): void {
    this.shakingHands.delete(pooled);
    const index = this.connections.indexOf(pooled);
    if (index >= 0) this.connections.splice(index, 1);
  }

  /** It takes no more streams: whoever waits gets another. One that was good for nothing is as good as not dialled. */
  private replace(pooled: PooledConnection, detail: string): void {
    if (!pooled.isOpen) this.counts.failed++;
    if (!pooled.isProven && pooled.streamCount === 0 && detail !== '') this.onDialFailed(detail);
    else this.dialIfNeeded();
  }

  private onDialFailed(detail: string): void {
    if (this.isClosed) return;
    this.failure = detail;
    this.backoff.recordFailure(clock.nowMs);
    // Others may still come through, or streams end on the connections that stand.
    if (this.open + this.dialling === 0) this.failWaiters(Reason.upstreamConnect, detail);
    else this.dialIfNeeded();
  }

  private failWaiters(reason: number, detail: string): void {
    const failed = [...this.waiters.keys()];
    this.waiters.clear();
    for (const waiter of failed) waiter.onConnectFailed(reason, detail);
  }
}
