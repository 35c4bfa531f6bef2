/**
 * One place among the workers: the worker that sits there now, and what outlives it. A worker that ends unasked is a bug
 * of ours; another one takes the seat after a pause that doubles while workers keep dying.
 */
import { Worker } from 'node:worker_threads';
import type { Random } from '../../../proto/kernel/random.ts';
import { Backoff } from '../../resilience/backoff.ts';
import { tick } from '../clock.ts';
import { countersOf, type PlaneReadings, sumOf } from '../plane-readings.ts';
import type { FromWorker, ToWorker, WorkerStart } from './messages.ts';

const restart = { firstMs: 100, maxMs: 10_000, jitterShare: 0.2 };
/** A worker that lived this long was well. */
const healthyAfterMs = 60_000;
/** A worker that does not end by itself is ended. */
const closeTimeoutMs = 3_000;

export interface SeatOwner {
  readonly entry: URL;
  readonly random: Random;
  /** What a worker at this seat has to know now. */
  startOf(seat: number): Promise<WorkerStart>;
  onMessage(seat: number, message: FromWorker): void;
  /** It listens, for the first time or again. */
  onListening(seat: number): void;
  onDeath(seat: number, reason: string, retryMs: number): void;
}

export class WorkerSeat {
  readonly seat: number;
  deaths = 0;
  isRunning = false;
  private readonly owner: SeatOwner;
  private readonly backoff: Backoff;
  private worker: Worker | null = null;
  private retry: NodeJS.Timeout | null = null;
  private closing = false;
  private sinceMs = 0;
  private reason = '';
  private current: PlaneReadings | null = null;
  /** Counted by workers that are gone. */
  private past: PlaneReadings | null = null;

  constructor(seat: number, owner: SeatOwner) {
    this.seat = seat;
    this.owner = owner;
    this.backoff = new Backoff(restart, owner.random);
  }

  /** Resolves when it listens; rejects when it ended before. */
  async start(): Promise<void> {
    let workerData: WorkerStart;
    try {
      workerData = await this.owner.startOf(this.seat);
    } catch (error) {
      // Out of descriptors, perhaps: later there may be some again.
      if (!this.closing) this.onExit(String(error));
      throw error;
    }
    if (this.closing) return;
    const worker = new Worker(this.owner.entry, { workerData, name: `weir worker ${this.seat}` });
    this.worker = worker;
    this.sinceMs = tick();
    this.reason = '';
    return new Promise((resolve, reject) => {
      worker.on('message', (message: FromWorker) => {
        if (message.kind === 'listening') {
          this.isRunning = true;
          this.owner.onListening(this.seat);
          resolve();
        } else if (message.kind === 'readings') this.current = message.readings;
        else this.owner.onMessage(this.seat, message);
      });
      worker.on('error', (error: unknown) => {
        this.reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
      });
      worker.once('exit', (code) => {
        const wasRunning = this.isRunning;
        this.isRunning = false;
        this.worker = null;
        if (this.closing) return resolve();
        if (!wasRunning) reject(new Error(this.reason || `worker ${this.seat} ended with ${code}`));
        this.onExit(this.reason || `ended with ${code}`);
      });
    });
  }

  post(message: ToWorker, transfer: import('node:worker_threads').TransferListItem[] = []): void {
    this.worker?.postMessage(message, transfer);
  }

  get readings(): PlaneReadings[] {
    return [this.current, this.past].filter((one) => one !== null);
  }

  async close(): Promise<void> {
    this.closing = true;
    if (this.retry !== null) clearTimeout(this.retry);
    const { worker } = this;
    if (worker === null) return;
    const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
    this.post({ kind: 'close' });
    const force = setTimeout(() => void worker.terminate(), closeTimeoutMs);
    await ended;
    clearTimeout(force);
  }

  private onExit(reason: string): void {
    this.deaths++;
    if (this.current !== null)
      this.past = sumOf([countersOf(this.current), ...(this.past === null ? [] : [this.past])]);
    this.current = null;
    const nowMs = tick();
    if (nowMs - this.sinceMs >= healthyAfterMs) this.backoff.recordSuccess();
    this.backoff.recordFailure(nowMs);
    const retryMs = Math.max(0, this.backoff.untilMs - nowMs);
    this.owner.onDeath(this.seat, reason, Math.round(retryMs));
    // One that fails again tells so by its own exit.
    this.retry = setTimeout(() => this.start().catch(() => {}), retryMs);
  }
}
