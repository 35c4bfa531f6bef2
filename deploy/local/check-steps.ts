/** The steps of the check: each does one thing to the running demo, watches, and says what it saw. */
import { performance } from 'node:perf_hooks';
import { poll } from './api.ts';
import {
  CallerWatch,
  type CheckContext,
  describe,
  Failure,
  type Figures,
  firstRefusalOf,
  isClosedEverywhere,
  isHealthy,
  liveInstances,
  openVerdict,
  type Push,
  pause,
  payments,
  percent,
  pushPolicy,
  round,
  window,
} from './check-watch.ts';
import { beginCalm, beginOverload } from './phases.ts';
import { calmPaymentsPerSecond, overloadFactor, specOf } from './topology.ts';

export interface StepResult {
  readonly notes: readonly string[];
  readonly figures: Figures;
  /** Requests through Weir that failed though nothing had been broken. */
  readonly errors: number;
}

/** What a healthy mesh does on a machine that is not busy; ten times as much is a defect on any machine. */
const targets = { policyPushMs: 250, fleetOpenMs: 1_000, reconnectMs: 5_000 };
const tolerance = 10;
/** Goodput at 3× aims at 0.9; below this the mesh does not hold, however busy the machine. */
const goodputRatioMin = 0.5;
/** Answers in time while nothing is wrong. */
const healthyShareMin = 0.98;
const warmUpSeconds = 12;
const overloadSeconds = 5;

export async function trafficFlows(context: CheckContext): Promise<StepResult> {
  const { load, signal } = context;
  await beginCalm(context);
  // Connections, compilers and caches need a moment, how long depends on the machine: one good second is enough.
  for (let tries = 1; ; tries++) {
    const [withWeir, without] = await window(load, 1_000, signal);
    const notes = [`without Weir ${describe(without)}`, `with Weir    ${describe(withWeir)}`];
    const isGood = [withWeir, without].every((tally) => tally.good >= healthyShareMin * tally.answered);
    if (isGood && withWeir.answered > 0) return { notes, figures: {}, errors: withWeir.failed };
    if (tries === warmUpSeconds)
      throw new Failure(`not ${percent(healthyShareMin)} of answers in time, in no second of ${tries}`, notes);
  }
}

export async function policyChange(context: CheckContext): Promise<StepResult> {
  // Three times, and the slowest counts: one measurement would be luck.
  const pushes: Push[] = [];
  for (let change = 0; change < 3; change++) {
    pushes.push(await pushPolicy(context, 10_000));
  }
  const policyPushMs = round(Math.max(...pushes.map(({ ms }) => ms)));
  const count = Math.min(...pushes.map(({ sidecars }) => sidecars));
  const notes = [
    `acknowledged by ${count} sidecars ${pushes.map(({ ms }) => ms.toFixed(0)).join(', ')} ms after the API's answer ` +
      `(${pushes.map(({ fromRequestMs }) => fromRequestMs.toFixed(0)).join(', ')} ms after the request; target ${targets.policyPushMs} ms)`,
  ];
  const expected = specOf('orders').instances + specOf('payments').instances;
  if (count < expected)
    throw new Failure(`${count} sidecars follow ${payments}, expected ${expected}`, notes, { policyPushMs });
  if (policyPushMs > tolerance * targets.policyPushMs) throw new Failure('far too slow', notes, { policyPushMs });
  return { notes, figures: { policyPushMs }, errors: 0 };
}

export async function overload({ mesh, load, signal }: CheckContext): Promise<StepResult> {
  const capacity = mesh.capacity.overloaded;
  await beginOverload({ load, mesh });
  // The step itself is not judged, what comes to stand is: queues fill within the first moments on either side.
  await pause(1_500, signal);
  const [withWeir, without] = await window(load, overloadSeconds * 1_000, signal);
  load.setPaymentsPerSecond(calmPaymentsPerSecond);
  const goodputRatio = round(withWeir.placed / overloadSeconds / capacity, 3);
  const goodputRatioWithout = round(without.placed / overloadSeconds / capacity, 3);
  const figures = { goodputRatio, goodputRatioWithout };
  const notes = [
    `${(overloadFactor * capacity).toFixed(0)} requests/s for ${capacity.toFixed(0)}/s of capacity`,
    `without Weir ${describe(without)}: goodput ${percent(goodputRatioWithout)} of capacity`,
    `with Weir    ${describe(withWeir)}: goodput ${percent(goodputRatio)} of capacity`,
  ];
  if (withWeir.refused === 0) throw new Failure('nothing was refused', notes, figures);
  if (withWeir.pushbackMissing > 0) {
    throw new Failure(`${withWeir.pushbackMissing} refusals carried no grpc-retry-pushback-ms`, notes, figures);
  }
  if (goodputRatio < goodputRatioMin)
    throw new Failure(`goodput fell below ${percent(goodputRatioMin)} of capacity`, notes, figures);
  if (goodputRatio <= goodputRatioWithout) throw new Failure('goodput was no better than without Weir', notes, figures);
  // From here on only the mesh is watched, and the machine is spared the other half.
  load.active.delete('without');
  return { notes, figures, errors: withWeir.failed };
}

export async function fleetBreaker({ mesh, load, watch, signal }: CheckContext): Promise<StepResult> {
  const callers = specOf('orders').instances;
  // One caller stays silent from before the failure until the fleet has opened: it can only know from the others. For
  // so long that its sidecar has reported the silence: before, its last healthy second counts as a witness against.
  const quiet = callers - 1;
  load.hold(quiet);
  await pause(2_500, signal);

  const seen = new CallerWatch(load);
  try {
    const verdict = openVerdict(watch, 5_000);
    await mesh.fault('payments', { failPercent: 100, slowFactor: 1 });
    const opened = await verdict;
    if (opened === undefined) throw new Failure('the fleet breaker did not open within 5 s');
    const refusal = await firstRefusalOf(quiet, load);
    load.release(quiet);
    const firstFailureMs = seen.firstFailureMs;
    if (firstFailureMs === undefined) throw new Failure('no call failed');
    const fleetOpenMs = round(refusal.endMs - firstFailureMs);
    const notes = [
      `orders-${quiet}, which had seen no failure, refused ${fleetOpenMs} ms after the first failed call (${refusal.reason}, target ${targets.fleetOpenMs} ms)`,
      `${opened.evidence}; ${seen.failures} calls failed before every caller had stopped`,
    ];
    if (refusal.kind !== 'refused')
      throw new Failure(`orders-${quiet} went on calling: ${refusal.kind} ${refusal.reason}`, notes);
    if (refusal.reason !== 'fleet_breaker_open')
      throw new Failure(`orders-${quiet} refused for ${refusal.reason}`, notes, { fleetOpenMs });
    if (seen.failing.has(quiet)) throw new Failure(`orders-${quiet} had seen a failure itself`, notes);
    const all = await poll(async () => seen.refusing.size === callers, { timeoutMs: 3_000 });
    if (all === undefined)
      throw new Failure(`only ${seen.refusing.size} of ${callers} callers refuse`, notes, { fleetOpenMs });

    const healedMs = performance.now();
    await mesh.heal('payments');
    seen.restart();
    const answered = await poll(async () => seen.answering.size === callers, { timeoutMs: 10_000 });
    if (answered === undefined)
      throw new Failure(`${seen.answering.size} of ${callers} callers reach payments again`, notes, { fleetOpenMs });
    const closed = await poll(async () => isClosedEverywhere(mesh), { timeoutMs: 10_000 });
    if (closed === undefined) throw new Failure('the breaker did not close everywhere', notes, { fleetOpenMs });
    notes.push(`closed in every caller ${(performance.now() - healedMs).toFixed(0)} ms after payments was healed`);
    if (fleetOpenMs > tolerance * targets.fleetOpenMs) throw new Failure('far too slow', notes, { fleetOpenMs });
    return { notes, figures: { fleetOpenMs }, errors: 0 };
  } finally {
    seen.close();
    load.release(quiet);
    await mesh.heal('payments');
  }
}

export async function controlPlaneDies(context: CheckContext): Promise<StepResult> {
  const { mesh, load, signal } = context;
  await mesh.killControlPlane();
  const [calm] = await window(load, 1_000, signal);
  // The last policy still stands: overload is still refused, by a mesh that nobody governs.
  await beginOverload(context);
  const [burst] = await window(load, 1_000, signal);
  await beginCalm(context);
  const restartMs = performance.now();
  await mesh.restartControlPlane();
  const known = await poll(async () => (await liveInstances(mesh)) === mesh.sidecarCount, {
    timeoutMs: 2 * targets.reconnectMs,
  });
  const backMs = performance.now() - restartMs;
  const notes = [
    `meanwhile ${describe(calm)}`,
    `3× meanwhile: ${describe(burst)}`,
    `back and all ${mesh.sidecarCount} sidecars known ${backMs.toFixed(0)} ms after its restart`,
  ];
  if (!isHealthy(calm)) throw new Failure('traffic suffered', notes);
  if (burst.refused === 0) throw new Failure('the policy was gone', notes);
  if (known === undefined)
    throw new Failure(`${await liveInstances(mesh)} of ${mesh.sidecarCount} sidecars came back`, notes);
  if (backMs > targets.reconnectMs) throw new Failure(`took more than ${targets.reconnectMs} ms`, notes);
  return { notes, figures: {}, errors: calm.failed + burst.failed };
}

export async function natsDies(context: CheckContext): Promise<StepResult> {
  const { mesh, load, signal } = context;
  await mesh.killNats();
  const [calm] = await window(load, 1_500, signal);
  const restartMs = performance.now();
  await mesh.restartNats();
  // Connected again is what works again: a change goes from the API to every sidecar and is acknowledged.
  const push = await poll(() => pushPolicy(context, 1_500), { timeoutMs: 2 * targets.reconnectMs, everyMs: 100 });
  const backMs = performance.now() - restartMs;
  const notes = [
    `meanwhile ${describe(calm)}`,
    `a policy change reached all sidecars ${backMs.toFixed(0)} ms after its restart`,
  ];
  if (!isHealthy(calm)) throw new Failure('traffic suffered', notes);
  if (push === undefined) throw new Failure('no policy change got through again', notes);
  if (backMs > targets.reconnectMs) throw new Failure(`took more than ${targets.reconnectMs} ms`, notes);
  return { notes, figures: {}, errors: calm.failed };
}
