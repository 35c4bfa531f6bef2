/** The fleet around a breaker coordinator, in steps of 10 ms: Poisson demand, reports with delay and loss, probes. */
import type { BreakerCoordinator } from '../../control-plane/coordination/breaker-coordinator.ts';
import { blankCounts } from '../../proto/fleet-blanks.ts';
import type { Report, Verdict } from '../../proto/fleet-messages.ts';
import { jitter, type Random } from '../../proto/kernel/random.ts';

export interface FleetRun {
  readonly callers: number;
  readonly rps: number;
  readonly failing: (caller: number, atMs: number) => boolean;
  readonly durationMs: number;
  readonly random: Random;
  readonly coordinator: BreakerCoordinator;
}

export interface FleetOutcome {
  readonly openedAtMs: number | undefined;
  readonly closedAtMs: number | undefined;
  readonly state: string;
  readonly sent: number;
}

interface Caller {
  n: number;
  fail: number;
  demand: number;
  seq: number;
  sinceMs: number;
  dueAtMs: number;
  fast: boolean;
  verdict: Verdict | undefined;
  probes: number;
}

const stepMs = 10;
const target = 'shop/payments';
const lossShare = 0.01;

export function simulateFleet(run: FleetRun): FleetOutcome {
  const { random, coordinator } = run;
  const mail = new Map<number, (() => void)[]>();
  const later = (nowMs: number, act: () => void): void => {
    if (random.next() < lossShare) return;
    const at = nowMs + stepMs * (1 + Math.floor(random.next() * 2));
    mail.set(at, [...(mail.get(at) ?? []), act]);
  };
  const callers = Array.from({ length: run.callers }, (): Caller => {
    const dueAtMs = random.next() * 1000;
    return { n: 0, fail: 0, demand: 0, seq: 0, sinceMs: 0, dueAtMs, fast: false, verdict: undefined, probes: 0 };
  });
  let openedAtMs: number | undefined;
  let closedAtMs: number | undefined;
  let sent = 0;
  for (let nowMs = 0; nowMs < run.durationMs; nowMs += stepMs) {
    for (const act of mail.get(nowMs) ?? []) act();
    mail.delete(nowMs);
    callers.forEach((caller, index) => {
      for (let requests = poisson((run.rps * stepMs) / 1000, random); requests > 0; requests--) {
        caller.demand++;
        if (!mayCall(caller)) continue;
        sent++;
        caller.n++;
        if (!run.failing(index, nowMs)) continue;
        caller.fail++;
        if (!caller.fast) caller.dueAtMs = nowMs;
      }
      if (nowMs < caller.dueAtMs) return;
      const report = toReport(caller, index, nowMs);
      later(nowMs, () => coordinator.onReport(report, nowMs + stepMs));
      const state = caller.verdict?.state ?? 'closed';
      caller.fast = caller.fail > 0 || state !== 'closed';
      caller.dueAtMs = nowMs + jitter(caller.fast ? 100 : 1000, 0.2, random);
      Object.assign(caller, { n: 0, fail: 0, demand: 0, sinceMs: nowMs });
    });
    if (nowMs % 50 !== 0) continue;
    for (const verdict of coordinator.tick(nowMs, nowMs).verdicts) {
      if (verdict.state === 'open') openedAtMs ??= nowMs;
      if (verdict.state === 'closed' && openedAtMs !== undefined) closedAtMs ??= nowMs;
      for (const caller of callers) later(nowMs, () => obey(caller, verdict));
    }
  }
  return { openedAtMs, closedAtMs, state: coordinator.view(target)?.state ?? 'closed', sent };
}

function obey(caller: Caller, verdict: Verdict): void {
  if (verdict.generation !== caller.verdict?.generation) caller.probes = 0;
  caller.verdict = verdict;
}

/** Three probes per half-open round and caller. */
function mayCall(caller: Caller): boolean {
  const state = caller.verdict?.state ?? 'closed';
  return state === 'closed' || (state === 'half_open' && ++caller.probes <= 3);
}

function toReport(caller: Caller, index: number, nowMs: number): Report {
  const { n, fail, demand, verdict } = caller;
  const counts = { ...blankCounts, n, fail, demand };
  return {
    v: 1,
    identity: {
      namespace: 'shop',
      service: 'orders',
      instance: `orders-${index}`,
      incarnation: 'a',
      zone: '',
      version: '',
    },
    epochSeen: verdict?.epoch ?? '',
    seq: ++caller.seq,
    intervalMs: nowMs - caller.sinceMs,
    targets: [{ ...counts, target, generation: verdict?.generation ?? 0 }],
    quotas: [],
  };
}

function poisson(mean: number, random: Random): number {
  let count = 0;
  for (let product = random.next(); product > Math.exp(-mean); product *= random.next()) count++;
  return count;
}
