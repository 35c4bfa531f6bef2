/** The load report that travels beside answers: ours read by the protobuf library, anybody's read by us, nonsense by nobody. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeOrca, emptyReport, encodeOrca, type OrcaReport, orcaTextMax } from '../../../sidecar/routing/orca.ts';

const amount = fc.double({ min: 0, max: 1e9, noNaN: true });
const report: fc.Arbitrary<OrcaReport> = fc.record({
  cpuUtilization: amount,
  memUtilization: amount,
  applicationUtilization: amount,
  qps: amount,
  eps: amount,
  inFlight: fc.oneof(fc.constant(-1), fc.nat(100_000)),
});

function read(bytes: readonly number[] | Buffer): OrcaReport | null {
  const into = emptyReport();
  return decodeOrca(Buffer.from(bytes).toString('base64'), into) ? into : null;
}

function double(value: number): number[] {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return [...bytes];
}

describe('ORCA', () => {
  it('reads what it wrote', () => {
    fc.assert(
      fc.property(report, (written) => {
        const into = emptyReport();
        expect(decodeOrca(encodeOrca(written), into)).toBe(true);
        expect(into).toEqual(written);
      }),
    );
  });

  it('writes what the protobuf of the standard says', () => {
    const text = encodeOrca({ ...emptyReport(), cpuUtilization: 0.5, qps: 10, inFlight: 3 });
    expect(Buffer.from(text, 'base64').toString('hex')).toBe(
      '09000000000000e03f' +
        '310000000000002440' +
        `42190a0e${Buffer.from('weir.in_flight').toString('hex')}` +
        '110000000000000840',
    );
  });

  it('takes the fields it knows from a full report, in any order, with or without padding', () => {
    const named = (name: string, value: number): number[] => [
      ...[0x42, name.length + 11, 0x0a, name.length, ...Buffer.from(name), 0x11],
      ...double(value),
    ];
    const bytes = [
      ...[0x49, ...double(0.75)],
      ...named('db_pool', 17),
      // request_cost, and a field that nobody knows yet
      ...[0x22, 2, 0x0a, 0],
      ...[0x18, 0x96, 0x01],
      ...[0xa5, 0x06, 1, 2, 3, 4],
      ...named('weir.in_flight', 12),
    ];
    expect(read(bytes)).toEqual({ ...emptyReport(), applicationUtilization: 0.75, qps: 150, inFlight: 12 });
    const into = emptyReport();
    expect(decodeOrca(Buffer.from(bytes).toString('base64').replace(/=+$/, ''), into)).toBe(true);
  });

  it('does not take what is no amount', () => {
    for (const value of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(read([0x09, ...double(value), 0x31, ...double(5)])).toEqual({ ...emptyReport(), qps: 5 });
    }
  });

  it('refuses what is cut short, too long, or no protobuf, and leaves nothing of it behind', () => {
    const full = Buffer.from(encodeOrca({ ...emptyReport(), cpuUtilization: 0.5, qps: 10, inFlight: 3 }), 'base64');
    const boundaries = new Set([0, 9, 18, full.length]);
    for (let length = 0; length <= full.length; length++) {
      expect([length, read(full.subarray(0, length)) !== null]).toEqual([length, boundaries.has(length)]);
    }
    const into = { ...emptyReport(), qps: 9 };
    expect(decodeOrca('A'.repeat(orcaTextMax + 1), into)).toBe(false);
    expect(into).toEqual(emptyReport());
    expect(decodeOrca('not base64!', into)).toBe(false);
    expect(read([0x42, 0xff, 0xff, 0xff, 0xff, 0x0f])).toBeNull();
    expect(read([0x0b])).toBeNull();
  });

  it('never throws and never reports what is no amount, whatever bytes come', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.string(), (bytes, text) => {
        for (const value of [Buffer.from(bytes).toString('base64'), text]) {
          const into = emptyReport();
          if (!decodeOrca(value, into)) expect(into).toEqual(emptyReport());
          for (const amount of Object.values(into)) expect(Number.isFinite(amount)).toBe(true);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
