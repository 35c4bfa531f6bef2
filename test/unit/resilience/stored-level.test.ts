/** What a caller keeps back for a level that it was told, and how it finds out that the level is gone. */
import { describe, expect, test } from 'vitest';
import { levelCount } from '../../../proto/tiers.ts';
import { StoredLevel } from '../../../sidecar/resilience/stored-level.ts';

const one = { name: 'one' };
const other = { name: 'other' };

describe('StoredLevel', () => {
  test('lets everything through before it was told anything', () => {
    const stored = new StoredLevel();
    expect(stored.admits(levelCount - 1, 0)).toBe(true);
    expect(stored.at(0)).toBe(levelCount);
  });

  test('keeps back what the target would refuse, but for one request in 50 ms, which says for how many it stands', () => {
    const stored = new StoredLevel();
    stored.onTold(300, one, 0);
    expect(stored.admits(299, 1)).toBe(true);
    expect(stored.admits(300, 1)).toBe(true);
    expect(stored.takeKept()).toBe(0);
    for (let i = 0; i < 7; i++) expect(stored.admits(500, 2 + i)).toBe(false);
    expect(stored.admits(500, 51)).toBe(true);
    expect(stored.isProbe(500)).toBe(true);
    expect(stored.takeKept()).toBe(7);
    expect(stored.isProbe(500)).toBe(false);
  });

  test('sends at most 21 a second in vain, however many want to go', () => {
    const stored = new StoredLevel();
    let went = 0;
    for (let ms = 0; ms < 1000; ms++) {
      stored.onTold(300, one, ms);
      for (let i = 0; i < 10; i++) if (stored.admits(400, ms)) went++;
    }
    expect(went).toBe(20);
  });

  test('forgets a level after a second without word, so that a stale one locks nobody out', () => {
    const stored = new StoredLevel();
    stored.onTold(0, one, 0);
    stored.admits(5, 0);
    expect(stored.admits(5, 1)).toBe(false);
    expect(stored.admits(5, 1000)).toBe(true);
    expect(stored.at(1000)).toBe(levelCount);
  });

  test('is lifted at once by an answer of the same endpoint that names none', () => {
    const stored = new StoredLevel();
    stored.onTold(100, one, 0);
    stored.onTold(levelCount, one, 1);
    expect(stored.admits(767, 2)).toBe(true);
  });

  test('goes by the endpoint that takes in most, while that one is heard', () => {
    const stored = new StoredLevel();
    stored.onTold(100, one, 0);
    stored.onTold(levelCount, other, 1);
    stored.onTold(100, one, 2);
    expect(stored.at(3)).toBe(levelCount);
    // Nothing from the other for a second: what the first says stands.
    stored.onTold(100, one, 1001);
    expect(stored.at(1002)).toBe(100);
    stored.onTold(150, other, 1003);
    stored.onTold(90, one, 1004);
    expect(stored.at(1005)).toBe(150);
    stored.onTold(80, other, 1006);
    expect(stored.at(1007)).toBe(80);
    stored.onTold(90, one, 1008);
    expect(stored.at(1009)).toBe(90);
  });
});
