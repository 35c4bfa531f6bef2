/**
 * Callers in open loop: each request comes at its time, drawn beforehand as it were, whatever became of the others. They
 * do what gRPC clients do: give every attempt a timeout, cancel when it has passed, retry as often as they are told, and
 * wait before that as long as a pushback says.
 */
import type { Random } from '../../../proto/kernel/random.ts';
import type { HttpStream } from '../../../sidecar/exchange/http-stream.ts';
import { ErrorCode } from '../../../sidecar/http2/constants.ts';
import type { HeaderList } from '../../../sidecar/http2/hpack/field.ts';
import { type CreditSource, ResetCause, type StreamHandler } from '../../../sidecar/http2/stream.ts';
import { type CallerRecord, Fate } from '../recording.ts';
import { type CallerSpec, wholeDeadlineMs } from '../scenario.ts';
import type { Stage } from '../stage.ts';
import { diceOf, exponential } from './dice.ts';
import type { Actor } from './event-queue.ts';
import { Fifo } from './fifo.ts';
import { requestHead } from './heads.ts';
import type { Accept } from './wire.ts';

const CallerEvent = { arrival: 0, expiry: 1 } as const;

/** Times since the begin and since the origin differ by less. */
const roundingMs = 1e-6;

export class Caller implements Actor {
  readonly stage: Stage;
  readonly record: CallerRecord;
  private readonly spec: CallerSpec;
  private readonly durationMs: number;
  private readonly doors: readonly Accept[];
  private readonly random: Random;
  private readonly heads: readonly HeaderList[];
  /** Sums of the kinds' shares up to each of them. */
  private readonly shares: readonly number[];
  /** Since all have the same timeout, those who asked first give up first. */
  private readonly underWay = new Fifo<Attempt>();
  private phase = 0;
  private isWatching = false;

  constructor(stage: Stage, spec: CallerSpec, durationMs: number, doors: readonly Accept[]) {
    this.stage = stage;
    this.spec = spec;
    this.durationMs = durationMs;
    this.doors = doors;
    this.record = stage.recording.caller(spec.name);
    this.random = diceOf(stage.seed, `caller ${spec.name}`);
    const kinds = spec.kinds ?? [{ path: '/lab.Service/Call' }];
    this.heads = kinds.map((kind) => requestHead(spec.service, kind.path, spec.timeoutMs, kind.headers));
    let total = 0;
    this.shares = kinds.map((kind) => {
      total += kind.share ?? 1;
      return total;
    });
    this.planNext(0);
  }

  onEvent(code: number): void {
    if (code === CallerEvent.expiry) return this.expire();
    const { stage } = this;
    const nowMs = stage.elapsedMs;
    this.planNext(nowMs);
    this.record.arrive(nowMs);
    this.send(new Attempt(this, this.pickHead(), this.pickDoor(), nowMs, 0));
  }

  send(attempt: Attempt): void {
    const nowMs = this.stage.elapsedMs;
    this.record.attempt(nowMs);
    attempt.expiresMs = nowMs + this.spec.timeoutMs;
    this.underWay.push(attempt);
    if (!this.isWatching) this.watch(attempt.expiresMs);
    attempt.door(attempt, attempt.head, true);
  }

  onAnswer(attempt: Attempt, head: HeaderList, grpcStatus: string): void {
    const nowMs = this.stage.elapsedMs;
    const { askedMs } = attempt;
    if (grpcStatus === '0') {
      this.record.end(nowMs - askedMs <= wholeDeadlineMs(this.spec) ? Fate.good : Fate.late, askedMs, nowMs);
      return;
    }
    const isRefusal = head.get('weir-reason') !== undefined && grpcStatus !== '4';
    if (isRefusal) this.record.refuse(nowMs);
    const pushbackMs = Number(head.get('grpc-retry-pushback-ms') ?? '0');
    if (this.mayRetry(attempt, grpcStatus)) this.retry(attempt, pushbackMs);
    else this.record.end(isRefusal ? Fate.refused : Fate.failed, askedMs, nowMs);
  }

  private mayRetry(attempt: Attempt, grpcStatus: string): boolean {
    if (attempt.retries >= (this.spec.retriesMax ?? 0)) return false;
    return grpcStatus === '14' || grpcStatus === '8' || grpcStatus === '4';
  }

  private retry({ head, askedMs, retries }: Attempt, delayMs: number): void {
    const next = new Attempt(this, head, this.pickDoor(), askedMs, retries + 1);
    if (delayMs > 0) this.stage.after(delayMs, next, 0);
    else this.send(next);
  }

  /** Gives up on what has had its time. */
  private expire(): void {
    const nowMs = this.stage.elapsedMs;
    for (let next = this.underWay.peek(); next !== undefined; next = this.underWay.peek()) {
      if (!next.isEnded && next.expiresMs > nowMs + roundingMs) return this.watch(next.expiresMs);
      this.underWay.shift();
      if (next.isEnded) continue;
      next.giveUp();
      if (this.mayRetry(next, '4')) this.retry(next, 0);
      else this.record.end(Fate.late, next.askedMs, nowMs);
    }
    this.isWatching = false;
  }

  private watch(atMs: number): void {
    this.isWatching = true;
    this.stage.at(atMs, this, CallerEvent.expiry);
  }

  /** Poisson at the rate of the phase; without memory, so a new phase may begin anew. */
  private planNext(nowMs: number): void {
    const { load } = this.spec;
    for (let fromMs = nowMs; ; this.phase++) {
      const rps = load[this.phase]?.rps ?? 0;
      const endMs = Math.min(this.durationMs, load[this.phase + 1]?.fromMs ?? this.durationMs);
      const atMs = rps > 0 ? Math.max(fromMs, load[this.phase]!.fromMs) + exponential(1000 / rps, this.random) : endMs;
      if (atMs < endMs) return this.stage.at(atMs, this, CallerEvent.arrival);
      if (endMs >= this.durationMs) return;
      fromMs = endMs;
    }
  }

  private pickHead(): HeaderList {
    const { heads, shares } = this;
    if (heads.length === 1) return heads[0]!;
    const at = this.random.next() * shares[shares.length - 1]!;
    let i = 0;
    while (shares[i]! <= at) i++;
    return heads[i]!;
  }

  private pickDoor(): Accept {
    const { doors } = this;
    return doors.length === 1 ? doors[0]! : doors[Math.floor(this.random.next() * doors.length)]!;
  }
}

/** One sending of a request, as the stream that the sidecar answers on. */
class Attempt implements HttpStream, Actor {
  handler: StreamHandler | null = null;
  source: CreditSource | null = null;
  readonly head: HeaderList;
  readonly door: Accept;
  /** When its request came, ms from the begin of the experiment. */
  readonly askedMs: number;
  readonly retries: number;
  expiresMs = 0;
  isEnded = false;
  readonly remoteClosed = true;
  private readonly caller: Caller;
  private answerHead: HeaderList | null = null;

  constructor(caller: Caller, head: HeaderList, door: Accept, askedMs: number, retries: number) {
    this.caller = caller;
    this.head = head;
    this.door = door;
    this.askedMs = askedMs;
    this.retries = retries;
  }

  get isClosed(): boolean {
    return this.isEnded;
  }

  /** The time to wait before a retry is over. */
  onEvent(): void {
    this.caller.send(this);
  }

  giveUp(): void {
    this.isEnded = true;
    this.handler?.onReset(ErrorCode.cancel, ResetCause.peer);
  }

  sendHeaders(list: HeaderList, endStream: boolean): void {
    if (endStream) this.end(list, list.grpcStatus);
    else this.answerHead = list;
  }

  sendTrailers(list: HeaderList): void {
    this.end(this.answerHead?.get('weir-reason') === undefined ? list : this.answerHead, list.grpcStatus);
  }

  sendData(_buf: Buffer, start: number, end: number): void {
    this.source?.credit(end - start);
  }

  reset(_code: number): void {
    if (!this.isEnded) this.end(unavailable, '14');
  }

  credit(): void {}

  private end(list: HeaderList, grpcStatus: string): void {
    if (this.isEnded) return;
    this.isEnded = true;
    this.caller.onAnswer(this, list, grpcStatus);
  }
}

const unavailable = requestHead('none', '/', 1);
