/** Scenario 16 in its short form keeps what it reached. */
import { expect, it } from 'vitest';
import { quotaScenario } from '../lab/fleet/scenarios/16-quota.ts';
import { meets } from '../lab/run.ts';

it('a quota of ten instances is used and never exceeded, whatever is killed, cut off or scaled out', () => {
  const missed = quotaScenario
    .measure('short', () => {})
    .filter(({ target, value }) => target !== null && !meets(value, target));
  expect(missed).toEqual([]);
});
