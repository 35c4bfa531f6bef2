/**
 * The load: an open loop, because real callers do not wait for each other. Every request has an intended start; when
 * the generator itself is late the clock of that request is already running, so a slow answer cannot hide by delaying
 * the next question (coordinated omission). Each request is sent twice at the same moment, to both sides.
 */
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ServiceError, status } from '@grpc/grpc-js';
import { type Random, XorShift32 } from '../../proto/kernel/random.ts';
import { reasonTable } from '../../proto/reasons.ts';
import { ShopClient } from './shop.ts';
import { type Outcome, type ShopFlow, Tally } from './tally.ts';
import { calmInventoryPerSecond, calmPaymentsPerSecond, deadlineMs, type Side, sides } from './topology.ts';

/**
 * How often due requests are sent, and to one caller at a time, the next one on the next tick: on a small machine waking
 * a process up costs more than a request. A request waits 10 ms for its batch on average, and its clock is running.
 */
const tickMs = 20;
/** The load grows to its rate over this time: seven cold processes are no picture of a shop. */
const rampMs = 4_000;
/** Deadlines bound what is in flight; this is for a machine that stood still (a laptop's lid) and owes hours of requests. */
const burstMax = 500;

const reasonByName = new Map(reasonTable.map((row) => [row.name, row]));

interface Flow {
  readonly method: ShopFlow;
  ratePerSecond: number;
  nextMs: number;
  number: number;
}

export interface LoadOptions {
  /** host:port of every `orders`, by side. */
  readonly orders: Readonly<Record<Side, readonly string[]>>;
  readonly seed: number;
}

export class Load {
  private readonly clients: Record<Side, Record<ShopFlow, ShopClient>[]>;
  private readonly random: Random;
  private readonly tallies: Record<Side, Set<Tally>> = { without: new Set(), with: new Set() };
  private readonly observers = new Set<(side: Side, outcome: Outcome) => void>();
  private readonly flows: Flow[];
  private readonly held = new Set<number>();
  private timer: NodeJS.Timeout | undefined;
  private turn = 0;
  private startedMs = 0;
  /** Sides that get the load. */
  readonly active = new Set<Side>(sides);

  constructor(options: LoadOptions) {
    this.random = new XorShift32(options.seed);
    const clientsOf = (side: Side): Record<ShopFlow, ShopClient>[] =>
      options.orders[side].map((address) => ({
        Place: new ShopClient('Orders', 'Place', { addresses: [address] }),
        Check: new ShopClient('Orders', 'Check', { addresses: [address] }),
      }));
    this.clients = { without: clientsOf('without'), with: clientsOf('with') };
    this.flows = [
      { method: 'Place', ratePerSecond: calmPaymentsPerSecond, nextMs: 0, number: 0 },
      { method: 'Check', ratePerSecond: calmInventoryPerSecond, nextMs: 0, number: 0 },
    ];
  }

  /** Requests per second that lead to `payments`, to each side. */
  get paymentsPerSecond(): number {
    return this.flows[0]!.ratePerSecond;
  }

  setPaymentsPerSecond(ratePerSecond: number): void {
    this.flows[0]!.ratePerSecond = ratePerSecond;
  }

  /** Counts from now on into the answer, until it is handed to unwatch(). */
  watch(side: Side): Tally {
    const tally = new Tally(performance.now());
    this.tallies[side].add(tally);
    return tally;
  }

  unwatch(tally: Tally): void {
    for (const side of sides) this.tallies[side].delete(tally);
  }

  /** Calls `observer` for every outcome; the answer ends that. */
  observe(observer: (side: Side, outcome: Outcome) => void): () => void {
    this.observers.add(observer);
    return () => this.observers.delete(observer);
  }

  /** Sends nothing more to one `orders` instance (on both sides) until it is released; the others take its share. */
  hold(caller: number): void {
    this.held.add(caller);
  }

  release(caller: number): void {
    this.held.delete(caller);
  }

  /** Asks every `orders` for both of its methods until it answers: connections made, endpoints known. Not counted. */
  async warmUp(timeoutMs: number): Promise<void> {
    const untilMs = performance.now() + timeoutMs;
    const ask = async (side: Side, caller: number, method: ShopFlow): Promise<void> => {
      for (;;) {
        const outcome = await this.once(side, caller, method);
        if (outcome.kind === 'good') return;
        if (performance.now() > untilMs) {
          throw new Error(`orders-${caller} (${side}) does not answer ${method}: ${outcome.kind} ${outcome.reason}`);
        }
        await sleep(50);
      }
    };
    const callers = this.clients.with.map((_, caller) => caller);
    await Promise.all(
      sides.flatMap((side) =>
        callers.map(async (caller) => {
          await ask(side, caller, 'Check');
          await ask(side, caller, 'Place');
        }),
      ),
    );
  }

  start(): void {
    const nowMs = performance.now();
    this.startedMs = nowMs;
    for (const flow of this.flows) flow.nextMs = nowMs;
    this.timer = setInterval(() => this.tick(performance.now()), tickMs);
  }

  stop(): void {
    clearInterval(this.timer);
    for (const side of sides) {
      for (const client of this.clients[side]) {
        client.Place.close();
        client.Check.close();
      }
    }
  }

  /** One request outside the flow, to a caller of choice; it is counted like the others. */
  async once(side: Side, caller: number, method: ShopFlow = 'Place'): Promise<Outcome> {
    return await new Promise((resolve) => this.send(side, method, 0, caller, performance.now(), resolve));
  }

  private tick(nowMs: number): void {
    const caller = this.nextCaller();
    const share = Math.min(1, 0.2 + (0.8 * (nowMs - this.startedMs)) / rampMs);
    for (const flow of this.flows) {
      for (let sent = 0; flow.nextMs <= nowMs && sent < burstMax; sent++) {
        flow.number++;
        for (const side of this.active) this.send(side, flow.method, flow.number, caller, flow.nextMs);
        // Evenly spaced with a jitter of half a gap, so that sources are not in step with the workers.
        flow.nextMs += (1_000 / (share * flow.ratePerSecond)) * (0.5 + this.random.next());
      }
      if (flow.nextMs < nowMs - deadlineMs) flow.nextMs = nowMs;
    }
  }

  private nextCaller(): number {
    const count = this.clients.with.length;
    for (let tries = 0; tries < count; tries++) {
      this.turn = (this.turn + 1) % count;
      if (!this.held.has(this.turn)) break;
    }
    return this.turn;
  }

  private send(
    side: Side,
    method: ShopFlow,
    number: number,
    caller: number,
    startMs: number,
    done?: (outcome: Outcome) => void,
  ): void {
    const client = this.clients[side][caller];
    if (client === undefined) return;
    for (const tally of this.tallies[side]) tally.sent++;
    client[method].call({ number, item: 'tea' }, { deadline: Date.now() + deadlineMs }, (error) => {
      const endMs = performance.now();
      const outcome = { ...classify(error, endMs - startMs), method, caller, startMs, endMs };
      for (const tally of this.tallies[side]) tally.add(outcome);
      for (const observer of this.observers) observer(side, outcome);
      done?.(outcome);
    });
  }
}

function classify(error: ServiceError | null, elapsedMs: number): Pick<Outcome, 'kind' | 'reason' | 'pushbackMissing'> {
  if (error === null) return { kind: elapsedMs <= deadlineMs ? 'good' : 'late', reason: '', pushbackMissing: false };
  const [name] = error.metadata?.get('weir-reason') ?? [];
  const row = name === undefined ? undefined : reasonByName.get(String(name));
  if (row?.name === 'deadline' || error.code === status.DEADLINE_EXCEEDED) {
    return { kind: 'late', reason: 'deadline', pushbackMissing: false };
  }
  if (row?.kind === 'refused') {
    const [pushback] = error.metadata.get('grpc-retry-pushback-ms');
    return { kind: 'refused', reason: row.name, pushbackMissing: row.pushback && !/^\d+$/.test(String(pushback)) };
  }
  return {
    kind: 'failed',
    reason: row?.name ?? (status[error.code] ?? 'UNKNOWN').toLowerCase(),
    pushbackMissing: false,
  };
}

/**
 * What a side can really do: a closed loop, twice as many callers as workers, straight at the instances of `payments`.
 * Nominal capacity would flatter nobody: timers overshoot, so the real one is a little below workers / service time.
 */
export async function calibrate(
  addresses: readonly string[],
  options: { callers: number; forMs: number },
): Promise<number> {
  const client = new ShopClient('Payments', 'Charge', { addresses });
  const startMs = performance.now();
  // The first answers also pay for connecting: counted from half-way of the warm-up on.
  const countFromMs = startMs + options.forMs / 4;
  const endMs = startMs + options.forMs;
  let answers = 0;
  const caller = async (): Promise<void> => {
    while (performance.now() < endMs) {
      await new Promise<void>((resolve) => {
        client.call({ number: 0, item: 'calibration' }, { deadline: Date.now() + 5_000 }, (error) => {
          const nowMs = performance.now();
          if (error === null && nowMs >= countFromMs && nowMs < endMs) answers++;
          resolve();
        });
      });
    }
  };
  await Promise.all(Array.from({ length: options.callers }, caller));
  client.close();
  return (answers * 1_000) / (endMs - countFromMs);
}
