/**
 * One request that may be parked: it keeps a copy of the content while an answer is awaited, and when the service cannot
 * take the request, and no fallback answers either, has it stored and its caller told so.
 *
 *   keeping ──▶ waiting for the rest of the content ──▶ storing ──▶ 202, or the gRPC status of the policy
 *      │                    │                              └──▶ not stored: the refusal, or what the service had said
 *      └── an answer ───────┴── the caller leaves: nothing is parked
 *
 * Nobody is told "parked" before the stream has confirmed it. One that was not confirmed in time may be stored all the
 * same, and is then delivered though its caller was refused: with the key that it carries, this is one more attempt.
 *
 * A request whose policy has no parking has none of these, and costs a comparison.
 */
import { Timer } from '../../proto/kernel/timer-wheel.ts';
import { Reason, reasonName } from '../../proto/reasons.ts';
import { HeaderList } from '../http2/hpack/field.ts';
import type { ParkingSettings } from '../policy/compile-parking.ts';
import { Outcome } from '../resilience/outcome.ts';
import type { Answer } from './answers.ts';
import type { Attempt } from './attempt.ts';
import type { ExchangeContext, RequestView } from './context.ts';
import { Protocol } from './http-stream.ts';
import { type MayPark, type Parker, ParkResult } from './parker.ts';
import type { Trouble } from './stand-in.ts';

/** For the content of a request that was refused at its head. */
const contentWaitMaxMs = 5000;
export const idempotencyKey = 'idempotency-key';

/** The request, as its parking sees it. */
export interface ParkingOwner extends RequestView {
  readonly context: ExchangeContext;
  readonly isSettled: boolean;
  /** Its attempt is over, nothing more is sent, and its deadline does not count. */
  giveUpAttempt(trouble: Trouble): void;
  /** What it would have been told without parking. */
  answerRefusal(trouble: Trouble): void;
  answerWith(answer: Answer, trouble: Trouble): void;
}

const State = { keeping: 0, waiting: 1, storing: 2, over: 3 } as const;

export class Parking extends Timer implements MayPark {
  /** Goes along with every attempt. */
  readonly key: string;
  /** Not the key where the caller brought one: two requests may share that. */
  private readonly reference: string;
  private readonly settings: ParkingSettings;
  private readonly parker: Parker;
  /** For which it was meant, whoever stands in. */
  private readonly target: string;
  private state: number = State.keeping;
  private chunks: Buffer[] = [];
  private bytes = 0;
  /** Why it cannot be parked; `parked` = it can. */
  private obstacle: number = ParkResult.parked;
  private owner: ParkingOwner | null = null;
  private trouble: Trouble | null = null;
  /** What the service said, when that was the trouble. */
  private said: HeaderList | null = null;

  private constructor(request: RequestView, settings: ParkingSettings, parker: Parker, target: string) {
    super();
    this.settings = settings;
    this.parker = parker;
    this.target = target;
    this.reference = parker.nextReference();
    this.key = request.head.get(idempotencyKey) ?? this.reference;
  }

  /** null when the policy does not say that the request may be carried out twice. */
  static of(request: RequestView, settings: ParkingSettings, parker: Parker | null, target: string): Parking | null {
    const { head } = request;
    const isListed = head.isGrpc ? settings.grpcPaths.has(head.path) : settings.httpMethods.has(head.method);
    if (parker === null || !isListed || head.protocol !== '') return null;
    return new Parking(request, settings, parker, target);
  }

  /** It has been taken out of the service's hands; whatever else goes wrong with it does not matter. */
  get isUnderWay(): boolean {
    return this.state === State.waiting || this.state === State.storing;
  }

  /** More of the request came, or its end. True: it goes nowhere else. */
  takesContent(buf: Buffer, start: number, end: number): boolean {
    if (this.state > State.waiting) return this.state === State.storing;
    this.keep(buf, start, end);
    if (this.state !== State.waiting) return false;
    this.goOn();
    return true;
  }

  /** A request with trailers is none of those that are parked. */
  onTrailers(): void {
    this.obstacle = ParkResult.notWhole;
    if (this.state === State.waiting) this.goOn();
  }

  /** Whether it is parked in the place of this refusal. */
  takes(owner: ParkingOwner, trouble: Trouble): boolean {
    return this.settings.onReason[trouble.reason] === 1 && this.begin(owner, trouble, null);
  }

  /** Whether it is parked in the place of what the service says, which no retry repeats; else it need not be kept. */
  takesAnswer(owner: ParkingOwner, attempt: Attempt, head: HeaderList): boolean {
    const outcome = attempt.outcome();
    const isTaken =
      this.isTrouble(owner, attempt, outcome) &&
      this.begin(owner, { reason: Reason.none, outcome, retryAfterMs: 0 }, head);
    if (!isTaken) this.end(owner);
    return isTaken;
  }

  /** The content did not come. */
  override onTimer(): void {
    this.obstacle = ParkResult.notWhole;
    if (this.state === State.waiting) this.goOn();
  }

  /** The request is over, or has an answer. */
  end(owner: ParkingOwner): void {
    if (this.state === State.over) return;
    if (this.state === State.waiting) owner.context.wheel.cancel(this);
    this.drop();
    this.state = State.over;
  }

  private isTrouble({ head }: ParkingOwner, { status, grpcStatus, responseReason }: Attempt, outcome: number): boolean {
    // Calls of gRPC that say nothing of how they went have an answer; whether it is a good one is said behind it.
    if (head.isGrpc && status === 200 && grpcStatus === '') return false;
    const { onFailure, onRefusal, onTimeout } = this.settings;
    if (outcome === Outcome.failure) return status === 504 || grpcStatus === '4' ? onTimeout : onFailure;
    return onRefusal && outcome === Outcome.ignored && (responseReason !== '' || status === 429 || grpcStatus === '8');
  }

  private begin(owner: ParkingOwner, trouble: Trouble, said: HeaderList | null): boolean {
    if (this.state !== State.keeping) return false;
    const { context } = owner;
    if (this.obstacle === ParkResult.parked && !this.parker.isReachable) this.obstacle = ParkResult.unreachable;
    if (this.settings.shadow && this.obstacle === ParkResult.parked) this.obstacle = ParkResult.wouldPark;
    if (this.obstacle !== ParkResult.parked) {
      this.count(owner, this.obstacle);
      this.end(owner);
      return false;
    }
    this.owner = owner;
    this.trouble = trouble;
    this.said = said;
    this.state = State.waiting;
    owner.giveUpAttempt(trouble);
    if (owner.endedMs >= 0) this.goOn();
    else context.wheel.schedule(this, context.clock.nowMs + contentWaitMaxMs);
    return true;
  }

  /** All of it is here, or will not be. */
  private goOn(): void {
    const { owner } = this;
    if (owner === null) return;
    if (this.obstacle !== ParkResult.parked) return this.fail(owner, this.obstacle);
    if (owner.endedMs < 0) return;
    owner.context.wheel.cancel(this);
    this.state = State.storing;
    const body = Buffer.concat(this.chunks, this.bytes);
    this.parker.park(this.request(owner), body, this.settings.messagesMax, (result) => this.onResult(owner, result));
  }

  private onResult(owner: ParkingOwner, result: number): void {
    if (this.state !== State.storing) return;
    if (result !== ParkResult.parked) return this.fail(owner, result);
    this.count(owner, result);
    owner.answerWith(this.answer(owner), this.trouble!);
  }

  private fail(owner: ParkingOwner, result: number): void {
    this.count(owner, result);
    const { said, trouble } = this;
    this.end(owner);
    if (said === null) return owner.answerRefusal(trouble!);
    // Its content is not at hand any more.
    const head = owner.head.isGrpc ? said : said.with({ set: [['content-length', '0']], remove: ['content-encoding'] });
    owner.answerWith({ head, body: null, trailers: null }, trouble!);
  }

  private keep(buf: Buffer, start: number, end: number): void {
    if (end === start || this.obstacle !== ParkResult.parked) return;
    const bytes = end - start;
    if (this.bytes + bytes > this.settings.bodyBytesMax) this.obstacle = ParkResult.tooLong;
    else if (!this.parker.memory.tryTake(bytes)) this.obstacle = ParkResult.noMemory;
    else {
      this.bytes += bytes;
      this.chunks.push(Buffer.from(buf.subarray(start, end)));
      return;
    }
    this.drop();
  }

  private drop(): void {
    this.parker.memory.give(this.bytes);
    this.bytes = 0;
    this.chunks = [];
  }

  private request({ head, protocol }: ParkingOwner): Parameters<Parker['park']>[0] {
    const { settings, reference, target, trouble, said } = this;
    const kept = head.fields.filter(({ name }) => settings.headers.has(name) && name !== idempotencyKey);
    return {
      reference,
      target,
      reason: trouble!.reason !== Reason.none ? reasonName(trouble!.reason) : saidBy(said),
      isGrpc: head.isGrpc,
      httpVersion: protocol === Protocol.http1 ? 1 : 2,
      method: head.method,
      scheme: head.scheme,
      authority: head.authority,
      path: head.path,
      headers: [...kept.map(({ name, value }): [string, string] => [name, value]), [idempotencyKey, this.key]],
      deliveriesMax: settings.deliveriesMax,
      backoffBaseMs: settings.backoff.baseMs,
      backoffMaxMs: settings.backoff.maxMs,
      ageMaxMs: settings.ageMaxMs,
    };
  }

  private answer({ head }: ParkingOwner): Answer {
    const { reference } = this;
    const { location, grpcAnswer } = this.settings;
    const parked: [string, string] = ['weir-parked', reference];
    if (head.isGrpc) {
      const { fields, body, trailers } = grpcAnswer;
      if (trailers === null) return { head: HeaderList.of([[':status', '200'], ...fields, parked]), body, trailers };
      return {
        head: HeaderList.of([[':status', '200'], ...fields]),
        body,
        trailers: HeaderList.of([...trailers, parked]),
      };
    }
    const body = Buffer.from(`${JSON.stringify({ reference })}\n`);
    const fields: [string, string][] = [
      [':status', '202'],
      ['content-type', 'application/json'],
      ['content-length', String(body.length)],
      parked,
    ];
    if (location !== '') fields.push(['location', location.replaceAll('{reference}', reference)]);
    return { head: HeaderList.of(fields), body, trailers: null };
  }

  private count({ traffic }: ParkingOwner, result: number): void {
    if (traffic !== null) traffic.parking[result]! += 1;
  }
}

function saidBy(said: HeaderList | null): string {
  if (said === null) return '';
  return said.get('weir-reason') ?? (said.grpcStatus === '' ? `http ${said.status}` : `grpc ${said.grpcStatus}`);
}
