/**
 * The one timer of all connections: it tells whoever listens, and only while somebody does.
 */
import { expect, test } from 'vitest';
import { ticker } from '../../sidecar/io/ticker.ts';
import { until } from '../support/until.ts';

class Member {
  readonly times: number[] = [];
  onTick(nowMs: number): void {
    this.times.push(nowMs);
  }
}

test('the ticker tells every member the same times, and none that has left', async () => {
  const [left, stays] = [new Member(), new Member()];
  ticker.add(left);
  ticker.add(stays);
  await until(() => stays.times.length === 1, { what: 'a tick' });
  expect(left.times).toEqual(stays.times);
  ticker.delete(left);
  await until(() => stays.times.length === 2, { what: 'another tick' });
  expect(left.times.length).toBe(1);
  ticker.delete(stays);
});
