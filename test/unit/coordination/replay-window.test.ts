/** The replay window hears each report once, in whatever order they arrive, and a restart from its beginning. */
import { describe, expect, it } from 'vitest';
import { ReplayWindow } from '../../../control-plane/coordination/replay-window.ts';

const accepted = (window: ReplayWindow, ...seqs: number[]) => seqs.map((seq) => window.accept('a', seq));

describe('ReplayWindow', () => {
  it('accepts each number once', () => {
    expect(accepted(new ReplayWindow(), 1, 2, 2, 3, 1, 3)).toEqual([true, true, false, true, false, false]);
  });

  it('accepts numbers that were overtaken, up to 31 behind', () => {
    expect(accepted(new ReplayWindow(), 40, 9, 8, 9, 10)).toEqual([true, true, false, false, true]);
  });

  it('begins anew with a new incarnation and refuses the former one', () => {
    const window = new ReplayWindow();
    expect(accepted(window, 7)).toEqual([true]);
    expect(window.accept('b', 1)).toBe(true);
    expect(accepted(window, 8)).toEqual([false]);
    expect(window.accept('b', 2)).toBe(true);
  });
});
