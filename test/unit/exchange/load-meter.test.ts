/** What a sidecar says of its service's load: the numbers, and on which answers they stand. */
import { describe, expect, test } from 'vitest';
import { LoadMeter, reportEveryMs } from '../../../sidecar/exchange/load-meter.ts';
import { withLoad } from '../../../sidecar/exchange/weir-fields.ts';
import { HeaderList } from '../../../sidecar/http2/hpack/field.ts';
import { decodeOrca, emptyReport, type OrcaReport, orcaField } from '../../../sidecar/routing/orca.ts';

class World {
  readonly facts = { concurrencyLimit: 8, queued: 0 };
  readonly meter: LoadMeter;
  nowMs = 0;

  constructor(threads = 1) {
    this.meter = new LoadMeter(this.facts, threads, 0);
  }

  /** So many a second, each in the app for so long; read every 100 ms, as answers do. */
  load(perSecond: number, heldMs: number, forMs: number, failures = 0): void {
    for (const endMs = this.nowMs + forMs; this.nowMs < endMs; ) {
      this.nowMs += reportEveryMs;
      for (let i = 0; i < perSecond / 10; i++) {
        this.meter.begin();
        this.meter.recordHeld(heldMs);
        this.meter.end(true, i < (failures * perSecond) / 10);
      }
      this.meter.textAt(this.nowMs);
    }
  }

  get report(): OrcaReport {
    const report = emptyReport();
    expect(decodeOrca(this.meter.textAt(this.nowMs), report)).toBe(true);
    return report;
  }
}

describe('LoadMeter', () => {
  test('tells requests and failures a second, and the share of the limit that works', () => {
    const world = new World();
    world.load(100, 40, 1000, 0.1);
    expect(world.report.qps).toBeCloseTo(100, 6);
    expect(world.report.eps).toBeCloseTo(10, 6);
    expect(world.report.applicationUtilization).toBeCloseTo((100 * 0.04) / 8, 6);
  });

  test('counts those who wait on top, and those who are under way', () => {
    const world = new World();
    world.load(200, 40, 1000);
    world.facts.queued = 8;
    for (let i = 0; i < 3; i++) world.meter.begin();
    world.nowMs += 2 * reportEveryMs;
    // All eight worked for a second, then none for 200 ms; and eight wait.
    expect(world.report.applicationUtilization).toBeCloseTo(
      1 + (Math.exp(-0.2) - Math.exp(-1.2)) / (1 - Math.exp(-1.2)),
      6,
    );
    expect(world.report.inFlight).toBe(3);
  });

  test('gives the same weight to the same server, however much it is asked', () => {
    const weights = [20, 100, 400].map((perSecond) => {
      const world = new World();
      world.load(perSecond, 10, 2000);
      return world.report.qps / world.report.applicationUtilization;
    });
    for (const weight of weights) expect(weight).toBeCloseTo(800, 6);
  });

  test('forgets in seconds, also what was before a long pause', () => {
    const world = new World();
    world.load(400, 10, 1000);
    world.nowMs += 3_600_000;
    expect(world.report.qps).toBeLessThan(0.01);
    world.load(100, 10, 5000);
    expect(world.report.qps).toBeGreaterThan(98);
  });

  test('tells no utilisation where nothing is limited, and nothing before there is anything to go by', () => {
    const world = new World();
    expect(world.meter.textAt(reportEveryMs - 1)).toBe('');
    for (const limit of [0, Number.POSITIVE_INFINITY]) {
      world.facts.concurrencyLimit = limit;
      world.load(100, 40, 1000);
      expect(world.report).toMatchObject({ applicationUtilization: 0, inFlight: 0 });
    }
  });

  test('takes what one thread sees for its part of what all do, but limit and queue for those of all', () => {
    const world = new World(4);
    world.load(50, 10, 1000);
    expect(world.report.qps).toBeCloseTo(200, 6);
    expect(world.report.applicationUtilization).toBeCloseTo((200 * 0.01) / 8, 6);
  });

  test('does not count what never came to the app', () => {
    const world = new World();
    world.load(100, 10, 1000);
    const { qps } = world.report;
    world.meter.begin();
    world.meter.end(false, false);
    expect(world.report.qps).toBe(qps);
  });
});

describe('withLoad', () => {
  const answer = (): HeaderList => HeaderList.of([[':status', '200']]);

  test('adds the report, once for the same answer and report', () => {
    const list = answer();
    const told = withLoad(list, 'AAAA');
    expect(told.get(orcaField)).toBe('AAAA');
    expect(withLoad(list, 'AAAA')).toBe(told);
    expect(withLoad(list, 'BBBB').get(orcaField)).toBe('BBBB');
    expect(withLoad(list, '')).toBe(list);
  });

  test('leaves the word to an app that reports itself', () => {
    const own = answer().with({ set: [[orcaField, 'CCCC']] });
    expect(withLoad(own, 'AAAA')).toBe(own);
  });
});
