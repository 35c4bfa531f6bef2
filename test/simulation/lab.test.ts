/** The lab in its short form: the same seed says the same twice, and the scenarios keep what they reached. */
import { describe, expect, it } from 'vitest';
import { labPolicies } from '../lab/policies.ts';
import { type JsonRow, toJsonRows } from '../lab/report/table.ts';
import { runScenario } from '../lab/run.ts';
import { scenarios } from '../lab/scenarios/index.ts';
import { simulation } from '../lab/sim/simulation.ts';

/** Each scenario runs once for a policy and seed. */
const known = new Map<string, Promise<JsonRow[]>>();

function rows(id: number, policyName: string, seed = 1): Promise<JsonRow[]> {
  const key = `${id} ${policyName} ${seed}`;
  const found = known.get(key) ?? run(id, policyName, seed);
  known.set(key, found);
  return found;
}

async function run(id: number, policyName: string, seed: number): Promise<JsonRow[]> {
  const scenario = scenarios.find((candidate) => candidate.id === id)!;
  const policy = labPolicies.find(({ name }) => name === policyName)!;
  const options = { rig: simulation, scenario, policy, seeds: [seed], size: 'short', progress() {} } as const;
  return toJsonRows([await runScenario(options)], false);
}

async function valueIn(id: number, policyName: string, metric: string): Promise<number> {
  const row = (await rows(id, policyName)).find((candidate) => candidate.metric === metric);
  return row?.value ?? Number.NaN;
}

describe('the lab', () => {
  it('says the same for the same seed, and something else for another', async () => {
    const first = await rows(2, 'fixed');
    expect(await run(2, 'fixed', 1)).toEqual(first);
    expect(await rows(2, 'fixed', 2)).not.toEqual(first);
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

describe("Weir's own policy", () => {
  it.each([
    [11, 'answered while it works', 0.8, 1],
    [11, 'opens per outage and caller', 0, 1],
  ])('keeps in scenario %d: %s from %d to %d', async (id, metric, least, most) => {
    const value = await valueIn(id, 'weir', metric);
    expect(value).toBeGreaterThanOrEqual(least);
    expect(value).toBeLessThanOrEqual(most);
  });

  it('does without protection what no retry storm recovers from', async () => {
    expect(await valueIn(7, 'nothing', 'recovery to 95 %')).toBeNaN();
  });
});
