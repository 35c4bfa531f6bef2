/** The breaker under any order of calls, answers, verdicts and settings. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { BreakerState } from '../../../sidecar/resilience/breaker.ts';
import { Outcome } from '../../../sidecar/resilience/outcome.ts';
import { BreakerRig, type Call, settings } from './breaker-rig.ts';

const outcome = fc.constantFrom(Outcome.success, Outcome.success, Outcome.failure, Outcome.ignored);
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('acquire' as const) }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('record' as const), pick: fc.nat(30), outcome }) },
  // The exchange may be wrong about a call, or report one twice.
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('again' as const), pick: fc.nat(30), outcome }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(1, 100, 700, 1500, 6000) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('fleet' as const),
      state: fc.constantFrom('closed', 'open', 'half_open', 'ramp', 'forced_open', 'forced_closed'),
      generation: fc.integer({ min: 1, max: 6 }),
      allow: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('reconfigure' as const), probes: fc.integer({ min: 1, max: 5 }) }),
  },
);

it('Breaker never has more than N unanswered probes out, and never gets stuck', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 150 }), (steps) => {
      const probeTimeoutMs = 5000;
      const rig = new BreakerRig({ consecutiveFailures: 2, probeTimeoutMs });
      let probes = settings.probes;
      const open: { call: Call; sinceMs: number }[] = [];
      const ended: Call[] = [];

      for (const action of steps) {
        switch (action.kind) {
          case 'acquire': {
            const call = rig.acquire();
            if (typeof call === 'number') {
              expect(Number.isInteger(call) && call >= 1).toBe(true);
              break;
            }
            open.push({ call, sinceMs: rig.nowMs });
            const out = open.filter((entry) => entry.call.probe && rig.nowMs - entry.sinceMs < probeTimeoutMs);
            if (call.probe) expect(out.length).toBeLessThanOrEqual(probes);
            expect(rig.breaker.probesInFlight).toBe(out.length);
            const { effectiveState } = rig.breaker;
            expect(effectiveState === BreakerState.open || effectiveState === BreakerState.forcedOpen).toBe(false);
            break;
          }
          case 'record': {
            const [entry] = open.length > 0 ? open.splice(action.pick % open.length, 1) : [];
            if (!entry) break;
            rig.end(entry.call, action.outcome);
            ended.push(entry.call);
            break;
          }
          case 'again': {
            const call = ended[action.pick % Math.max(1, ended.length)];
            if (call?.probe) rig.end(call, action.outcome);
            break;
          }
          case 'wait':
            rig.wait(action.ms);
            break;
          case 'fleet':
            rig.fleet(action.state, action.generation, { allow: action.allow });
            break;
          case 'reconfigure':
            probes = action.probes;
            rig.breaker.reconfigure({ ...settings, consecutiveFailures: 2, probeTimeoutMs, probes }, rig.nowMs);
            break;
        }
      }

      // Left alone by the fleet, with every probe lost and the target well again, it closes.
      rig.wait(60_000);
      for (let i = 0; i < probes + 1; i++) rig.succeed();
      expect(rig.breaker.effectiveState).toBe(BreakerState.closed);
    }),
    { numRuns: 1000 },
  );
});
