/** When reports are due: at once on the first failure, quick while there is trouble, slow when all is well. */
import { describe, expect, it } from 'vitest';
import { XorShift32 } from '../../../proto/kernel/random.ts';
import { ReportSchedule } from '../../../sidecar/resilience/report-schedule.ts';

const middle = { next: () => 0.5 };

describe('ReportSchedule', () => {
  it('is due every second while all is well', () => {
    const schedule = new ReportSchedule(0, middle);
    expect([schedule.isDue(999), schedule.isDue(1000)]).toEqual([false, true]);
    schedule.reported(false, 1000);
    expect(schedule.dueAtMs).toBe(2000);
  });

  it('is due at once on the first failure, and not again before its time on the next', () => {
    const schedule = new ReportSchedule(0, middle);
    expect(schedule.failed(300)).toBe(true);
    expect(schedule.isDue(300)).toBe(true);
    expect(schedule.failed(301)).toBe(false);
    schedule.reported(true, 302);
    expect(schedule.failed(310)).toBe(false);
    expect(schedule.dueAtMs).toBe(402);
  });

  it('is calm again after an interval without trouble, so that the next failure is a first one', () => {
    const schedule = new ReportSchedule(0, middle);
    schedule.failed(300);
    schedule.reported(true, 300);
    schedule.reported(false, 400);
    expect(schedule.dueAtMs).toBe(1400);
    expect(schedule.failed(500)).toBe(true);
  });

  it('spreads the reports of many callers by 20 %', () => {
    const schedule = new ReportSchedule(0, new XorShift32(1));
    const waits = Array.from({ length: 1000 }, () => {
      schedule.reported(true, 0);
      return schedule.dueAtMs;
    });
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(80);
    expect(Math.max(...waits)).toBeLessThan(120);
    expect(Math.max(...waits) - Math.min(...waits)).toBeGreaterThan(35);
  });
});
