/**
 * Ten replicas of a service, five of them at a third of the speed of the others, each with eight workers and a queue, and
 * callers that choose among them: the share of requests that take longer than 100 ms where one takes 10 ms.
 */
import { XorShift32 } from '../../../proto/kernel/random.ts';
import { type BalancerSettings, makeBalancer } from '../../../sidecar/routing/balancer.ts';
import { Endpoint } from '../../../sidecar/routing/endpoint.ts';
import { emptyReport } from '../../../sidecar/routing/orca.ts';

const replicas = 10;
const workers = 8;
const serviceMs = 10;
const deadlineMs = 100;
const callers = 4;
const runMs = 6000;
const warmUpMs = 1000;
const factors = Array.from({ length: replicas }, (_, i) => (i % 2 === 0 ? 1 : 3));

export interface SimulationOptions {
  readonly settings: BalancerSettings;
  /** Of what all replicas together can do. */
  readonly load: number;
  /** Whether servers tell of their load. */
  readonly reports?: boolean;
}

interface Ending {
  readonly atMs: number;
  readonly replica: number;
  readonly endpoint: Endpoint;
  readonly caller: number;
  readonly sentMs: number;
}

export function simulate({ settings, load, reports = true }: SimulationOptions): number {
  const random = new XorShift32(11);
  const capacityPerMs = factors.reduce((sum, factor) => sum + workers / (serviceMs * factor), 0);
  const exponential = (meanMs: number): number => -Math.log(1 - random.next()) * meanMs;
  const lists = Array.from({ length: callers }, () => factors.map((_, i) => endpointOf(i)));
  const balancers = lists.map((list, i) => {
    const balancer = makeBalancer(settings, new XorShift32(100 + i));
    balancer.setEndpoints(list);
    return balancer;
  });
  /** When each worker of each replica is free. */
  const free = factors.map(() => new Float64Array(workers));
  const inHand = factors.map(() => 0);
  /** What servers report: means over about a second, as a server measures them. */
  const rates = factors.map(() => ({ busy: 0, qps: 0, atMs: 0 }));
  const endings: Ending[] = [];
  let late = 0;
  let counted = 0;
  let nowMs = 0;

  const settle = (untilMs: number): void => {
    while (endings.length > 0 && endings[0]!.atMs <= untilMs) {
      const { atMs, replica, endpoint, caller, sentMs } = endings.shift()!;
      const latencyMs = atMs - sentMs;
      inHand[replica]!--;
      const rate = rates[replica]!;
      const kept = Math.exp((rate.atMs - atMs) / 1000);
      rate.busy = rate.busy * kept + Math.min(1, (inHand[replica]! + 1) / workers) * (1 - kept);
      rate.qps = rate.qps * kept + 1;
      rate.atMs = atMs;
      endpoint.inFlight--;
      if (reports) {
        endpoint.load.record(
          { ...emptyReport(), cpuUtilization: rate.busy, qps: rate.qps, inFlight: inHand[replica]! },
          atMs,
        );
      }
      endpoint.latency.recordSuccess(latencyMs, atMs);
      balancers[caller]!.onAnswer(endpoint, latencyMs, true, atMs);
      if (sentMs < warmUpMs) continue;
      counted++;
      if (latencyMs > deadlineMs) late++;
    }
  };

  while (nowMs < runMs) {
    nowMs += exponential(1 / (capacityPerMs * load));
    settle(nowMs);
    const caller = Math.floor(random.next() * callers);
    const endpoint = balancers[caller]!.pick(nowMs)!;
    const replica = endpoint.port - 1;
    const queue = free[replica]!;
    let worker = 0;
    for (let i = 1; i < workers; i++) if (queue[i]! < queue[worker]!) worker = i;
    const beginMs = Math.max(nowMs, queue[worker]!);
    const atMs = beginMs + serviceMs * factors[replica]! * (0.5 + random.next());
    queue[worker] = atMs;
    endpoint.inFlight++;
    inHand[replica]!++;
    insert(endings, { atMs, replica, endpoint, caller, sentMs: nowMs });
  }
  return late / counted;
}

/** By when they end. */
function insert(endings: Ending[], ending: Ending): void {
  let at = endings.length;
  while (at > 0 && endings[at - 1]!.atMs > ending.atMs) at--;
  endings.splice(at, 0, ending);
}

function endpointOf(i: number): Endpoint {
  const at = { host: '10.0.0.1', port: i + 1, path: '' };
  return new Endpoint({
    address: `10.0.0.1:${i + 1}`,
    at,
    instance: `i-${i}`,
    zone: '',
    draining: false,
    random: new XorShift32(1),
  });
}
