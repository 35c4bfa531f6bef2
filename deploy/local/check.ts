/**
 * `npm start -- --check`: the promises of the mesh, proved one after the other on the running demo. A step passes by
 * behaviour; figures fail it only at ten times their target, because a busy machine is not a broken mesh. The last line
 * of the output is one JSON object.
 */
import { performance } from 'node:perf_hooks';
import {
  controlPlaneDies,
  fleetBreaker,
  natsDies,
  overload,
  policyChange,
  type StepResult,
  trafficFlows,
} from './check-steps.ts';
import { type CheckContext, Failure } from './check-watch.ts';
import { FleetWatch } from './fleet-watch.ts';
import type { Load } from './load.ts';
import type { DemoMesh } from './mesh.ts';

export interface CheckOptions {
  readonly mesh: DemoMesh;
  readonly load: Load;
  readonly signal: AbortSignal;
  readonly say: (text: string) => void;
  /** performance.now() at the start of the program. */
  readonly startMs: number;
}

/** What the last line says. Null = the step that measures it did not get that far. */
export interface CheckReport {
  policyPushMs: number | null;
  fleetOpenMs: number | null;
  goodputRatio: number | null;
  goodputRatioWithout: number | null;
  /** Sent through Weir, and those of them that failed though no fault was injected. */
  requests: number;
  errors: number;
  ok: boolean;
}

const steps: readonly { readonly title: string; readonly run: (context: CheckContext) => Promise<StepResult> }[] = [
  { title: 'traffic flows, on both sides', run: trafficFlows },
  { title: 'a policy change reaches every sidecar', run: policyChange },
  { title: '3× overload is refused with pushback, goodput holds', run: overload },
  { title: 'payments fails: its breaker opens in every caller, closes after it heals', run: fleetBreaker },
  { title: 'the control plane is killed: traffic and policies stay, it comes back', run: controlPlaneDies },
  { title: 'nats-server is killed: traffic stays, everything reconnects', run: natsDies },
];

export async function runCheck({ mesh, load, signal, say, startMs }: CheckOptions): Promise<number> {
  const report: CheckReport = {
    policyPushMs: null,
    fleetOpenMs: null,
    goodputRatio: null,
    goodputRatioWithout: null,
    requests: 0,
    errors: 0,
    ok: false,
  };
  const whole = load.watch('with');
  const watch = await FleetWatch.open(mesh.natsUrl);
  const context: CheckContext = { mesh, load, watch, signal, changes: { count: 0 } };
  let passed = true;
  try {
    for (const [index, { title, run }] of steps.entries()) {
      if (signal.aborted) return 130;
      const result = await attempt(run, context, report);
      passed &&= result.problem === undefined;
      const mark = result.problem === undefined ? '✓' : '✗';
      say(`${mark} ${seconds(startMs)}  ${index + 1}. ${title}`);
      for (const line of result.notes) say(`            ${line}`);
      if (result.problem !== undefined) say(`            NOT SO: ${result.problem}`);
    }
  } finally {
    await watch.close();
  }
  report.requests = whole.sent;
  report.ok = passed;
  say(JSON.stringify(report));
  return passed ? 0 : 1;
}

async function attempt(
  run: (context: CheckContext) => Promise<StepResult>,
  context: CheckContext,
  report: CheckReport,
): Promise<{ notes: readonly string[]; problem?: string }> {
  try {
    const { notes, figures, errors } = await run(context);
    Object.assign(report, figures);
    report.errors += errors;
    return { notes };
  } catch (error) {
    if (error instanceof Failure) {
      Object.assign(report, error.figures);
      return { notes: error.notes, problem: error.message };
    }
    return { notes: [], problem: error instanceof Error ? error.message : String(error) };
  }
}

function seconds(startMs: number): string {
  return `${((performance.now() - startMs) / 1_000).toFixed(1).padStart(5)} s`;
}
