/** `weir demo queue --check`, as a user runs it: its steps, and of its figures what does not depend on how fast the machine is. */
import { expect, it } from 'vitest';
import { runWeir } from '../support/process.ts';

interface Step {
  readonly step: string;
  readonly refused: number;
  readonly dropped: number;
  readonly inHandMax: number;
  readonly done: number;
}

it('the demo of an overwhelmed consumer ends by itself and shows what each remedy does', async () => {
  const { code, stdout, stderr } = await runWeir(['demo', 'queue', '--check', '--seconds', '1'], { timeoutMs: 60_000 });
  expect([0, 1], stderr).toContain(code);
  const result: { readonly steps: readonly Step[] } = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '');
  const steps = new Map(result.steps.map((one) => [one.step, one]));
  expect([...steps.keys()]).toEqual(['nothing', 'buffer', 'throttle', 'scale', 'drop', 'signal']);
  expect(steps.get('nothing')?.inHandMax).toBeGreaterThan(10);
  for (const step of ['buffer', 'throttle', 'scale', 'drop', 'signal']) {
    expect(steps.get(step)?.inHandMax, step).toBeLessThanOrEqual(4);
    expect(steps.get(step)?.done, step).toBeGreaterThan(0);
  }
  for (const step of ['buffer', 'scale', 'signal']) expect(steps.get(step)?.dropped, step).toBeLessThanOrEqual(0);
  for (const step of ['throttle', 'signal']) expect(steps.get(step)?.refused, step).toBeGreaterThan(0);
  expect(steps.get('drop')?.dropped).toBeGreaterThan(0);
}, 90_000);

it('the demo refuses what it does not know', async () => {
  expect((await runWeir(['demo', 'queue', '--seconds', '0'])).code).toBe(64);
});
