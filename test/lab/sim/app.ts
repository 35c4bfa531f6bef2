/**
 * The app of a simulated service: `workers` that take requests first come, first served, from a queue without bounds;
 * what most apps do. Unless it heeds cancels it works on requests that nobody waits for any longer, and that work is
 * wasted. What befalls it (Change) applies to what it is doing at that moment too.
 */
import type { Random } from '../../../proto/kernel/random.ts';
import type { HttpStream, UpstreamConnection } from '../../../sidecar/exchange/http-stream.ts';
import type { HeaderList } from '../../../sidecar/http2/hpack/field.ts';
import type { CreditSource, StreamHandler } from '../../../sidecar/http2/stream.ts';
import type { ServiceRecord } from '../recording.ts';
import type { AppSpec, Change } from '../scenario.ts';
import type { Stage } from '../stage.ts';
import { diceOf, exponential, lognormal } from './dice.ts';
import type { Actor } from './event-queue.ts';
import { Fifo } from './fifo.ts';
import { failedHead, message, okHead, okTrailers } from './heads.ts';

const failingAnswersAfterMs = 1;

/** Calls another service on behalf of a request; `done(false)` when any of the calls failed. Answers how to give up. */
export type Callees = (head: HeaderList, done: (isGood: boolean) => void) => () => void;

export interface AppOptions {
  readonly stage: Stage;
  readonly spec: AppSpec;
  readonly name: string;
  readonly record: ServiceRecord;
  /** null when it calls nobody. */
  readonly callees: Callees | null;
}

/** What can change: of the whole app, or of one route. */
class Condition {
  speed = 1;
  failing = false;
  serviceMs: number;

  constructor(serviceMs: number) {
    this.serviceMs = serviceMs;
  }

  change(change: Change): void {
    if (change.speed !== undefined) this.speed = change.speed;
    if (change.serviceMs !== undefined) this.serviceMs = change.serviceMs;
    if (change.failing !== undefined) this.failing = change.failing;
  }
}

export class App implements UpstreamConnection {
  readonly takesExtendedConnect = false;
  readonly stage: Stage;
  private readonly spec: AppSpec;
  private readonly record: ServiceRecord;
  private readonly callees: Callees | null;
  private readonly random: Random;
  private readonly whole: Condition;
  /** Of requests of no route in particular. */
  private readonly elsewhere: Condition;
  private readonly routes = new Map<string, Condition>();
  private readonly waiting = new Fifo<AppCall>();
  private readonly running = new Set<AppCall>();

  constructor({ stage, spec, name, record, callees }: AppOptions) {
    this.stage = stage;
    this.spec = spec;
    this.record = record;
    this.callees = callees;
    this.random = diceOf(stage.seed, `app ${name}`);
    this.whole = new Condition(spec.serviceMs);
    this.elsewhere = new Condition(spec.serviceMs);
    this.follow(this.whole, spec.changes);
    for (const route of spec.routes ?? []) {
      const condition = new Condition(route.serviceMs);
      this.routes.set(route.path, condition);
      this.follow(condition, route.changes);
    }
  }

  request(list: HeaderList, _endStream: boolean, handler: StreamHandler): HttpStream {
    const route = this.routes.get(list.path) ?? this.elsewhere;
    const call = new AppCall(this, handler, list, route);
    this.record.count(this.record.begun, this.stage.elapsedMs);
    if (this.whole.failing || route.failing) this.stage.after(failingAnswersAfterMs, call, AppEvent.fail);
    else {
      this.waiting.push(call);
      this.startNext();
    }
    return call;
  }

  /** A worker is done with it. */
  onWorked(call: AppCall): void {
    this.running.delete(call);
    this.record.count(this.record.finished, this.stage.elapsedMs);
    this.startNext();
    if (this.callees === null) call.answer();
    else if (!call.isClosed) call.giveUpCalls = this.callees(call.head, (isGood) => call.answerCalled(isGood));
  }

  onCancelled(call: AppCall): void {
    call.giveUpCalls?.();
    if (this.spec.heedsCancel !== true || !this.running.delete(call)) return;
    call.stop();
    this.startNext();
  }

  private startNext(): void {
    while (this.running.size < this.spec.workers) {
      const call = this.waiting.shift();
      if (call === undefined) return;
      if (call.isClosed && this.spec.heedsCancel === true) continue;
      this.running.add(call);
      call.start(this.serviceMs(call.route.serviceMs), this.whole.speed * call.route.speed);
    }
  }

  private serviceMs(mean: number): number {
    switch (this.spec.service) {
      case 'exponential':
        return exponential(mean, this.random);
      case 'lognormal':
        return lognormal(mean, this.random);
      case 'constant':
        return mean;
    }
  }

  private follow(condition: Condition, changes: readonly Change[] = []): void {
    for (const change of changes) this.stage.at(change.atMs, new Changing(this, condition, change), 0);
  }

  onChanged(condition: Condition): void {
    const isWhole = condition === this.whole;
    for (const call of this.running) {
      if (isWhole || call.route === condition) call.setSpeed(this.whole.speed * call.route.speed);
    }
  }
}

class Changing implements Actor {
  private readonly app: App;
  private readonly condition: Condition;
  private readonly change: Change;

  constructor(app: App, condition: Condition, change: Change) {
    this.app = app;
    this.condition = condition;
    this.change = change;
  }

  onEvent(): void {
    this.condition.change(this.change);
    this.app.onChanged(this.condition);
  }
}

const AppEvent = { fail: -1 } as const;

/** A request in the app; the exchange holds it as its upstream stream. */
class AppCall implements HttpStream, Actor {
  handler: StreamHandler | null;
  source: CreditSource | null = null;
  readonly head: HeaderList;
  readonly route: Condition;
  isClosed = false;
  readonly remoteClosed = false;
  giveUpCalls: (() => void) | null = null;
  private readonly app: App;
  private leftMs = 0;
  private speed = 1;
  private sinceMs = 0;
  /** Events of an earlier speed are void. */
  private version = 0;

  constructor(app: App, handler: StreamHandler, head: HeaderList, route: Condition) {
    this.app = app;
    this.handler = handler;
    this.head = head;
    this.route = route;
  }

  start(workMs: number, speed: number): void {
    this.leftMs = workMs;
    this.go(speed);
  }

  setSpeed(speed: number): void {
    this.leftMs -= (this.app.stage.clock.nowMs - this.sinceMs) * this.speed;
    this.go(speed);
  }

  stop(): void {
    this.version++;
  }

  private go(speed: number): void {
    this.speed = speed;
    this.sinceMs = this.app.stage.clock.nowMs;
    this.version++;
    if (speed > 0) this.app.stage.after(Math.max(0, this.leftMs / speed), this, this.version);
  }

  onEvent(code: number): void {
    if (code === AppEvent.fail) this.fail();
    else if (code === this.version) this.app.onWorked(this);
  }

  answer(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.handler?.onHeaders(okHead, false);
    this.handler?.onData(message, 0, message.length, false);
    this.handler?.onTrailers(okTrailers);
  }

  answerCalled(isGood: boolean): void {
    this.giveUpCalls = null;
    if (isGood) this.answer();
    else this.fail();
  }

  private fail(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.handler?.onHeaders(failedHead, true);
  }

  reset(_code: number): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.app.onCancelled(this);
  }

  sendHeaders(): void {}
  sendTrailers(): void {}
  credit(): void {}

  sendData(_buf: Buffer, start: number, end: number): void {
    this.source?.credit(end - start);
  }
}
