/**
 * What the log hears of peers that run into limits: the first of each kind at once, the others as a count.
 */
import { expect, test } from 'vitest';
import { type Log, type LogFields, silentLog } from '../../proto/kernel/log-format.ts';
import { Limit } from '../../sidecar/http2/limit-codes.ts';
import { LimitLog, limitTrips } from '../../sidecar/io/limit-trips.ts';

test('LimitLog says the first of each kind at once, then counts per interval, and nothing when nothing happened', () => {
  const said: (LogFields | undefined)[] = [];
  const log: Log = { ...silentLog, warn: (_msg, fields) => said.push(fields) };
  const limits = new LimitLog(log);
  const before = limitTrips.counts[Limit.pingRate] ?? 0;
  for (let i = 0; i < 1000; i++) limitTrips.record(Limit.pingRate, '10.0.0.1');
  limitTrips.record(Limit.resets, '');
  expect(said).toEqual([
    { limit: 'ping_rate', from: '10.0.0.1' },
    { limit: 'resets', from: undefined },
  ]);
  limits.flush();
  expect(said.slice(2)).toEqual([{ limit: 'ping_rate', count: 999, intervalMs: 10_000 }]);
  limits.flush();
  expect(said).toHaveLength(3);
  limitTrips.record(Limit.pingRate, '10.0.0.2');
  expect(said.at(-1)).toEqual({ limit: 'ping_rate', from: '10.0.0.2' });
  limits.close();
  limitTrips.record(Limit.pingRate, '10.0.0.3');
  expect(said).toHaveLength(4);
  expect((limitTrips.counts[Limit.pingRate] ?? 0) - before).toBe(1002);
});
