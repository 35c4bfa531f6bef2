/** The lab in its short form: the same seed says the same twice, and the scenarios keep what they reached. */
import { describe, expect, it } from 'vitest';
import { labPolicies } from '../lab/policies.ts';
import { toJsonRows } from '../lab/report/table.ts';
import { runScenario } from '../lab/run.ts';
import { scenarios } from '../lab/scenarios/index.ts';
import { simulation } from '../lab/sim/simulation.ts';

async function rows(id: number, policyName: string, seed = 1) {
  const scenario = scenarios.find((known) => known.id === id)!;
  const policy = labPolicies.find(({ name }) => name === policyName)!;
  const options = { rig: simulation, scenario, policy, seeds: [seed], size: 'short', progress() {} } as const;
  return toJsonRows([await runScenario(options)], false);
}

async function valueIn(id: number, policyName: string, metric: string): Promise<number> {
  const row = (await rows(id, policyName)).find((known) => known.metric === metric);
  return row?.value ?? Number.NaN;
}

describe('the lab', () => {
  it('says the same for the same seed, and something else for another', async () => {
    const first = await rows(1, 'fixed');
    expect(await rows(1, 'fixed')).toEqual(first);
    expect(await rows(1, 'fixed', 2)).not.toEqual(first);
  });
});

describe('scenario 1, the sweep', () => {
  it('collapses with nothing in the way', async () => {
    expect(await valueIn(1, 'nothing', 'goodput at 0.8×')).toBeGreaterThan(0.99);
    expect(await valueIn(1, 'nothing', 'goodput at 2×')).toBeLessThan(0.05);
  });

  it('holds with a limit near the knee', async () => {
    expect(await valueIn(1, 'fixed', 'goodput at 3×')).toBeGreaterThan(0.95);
  });
});
