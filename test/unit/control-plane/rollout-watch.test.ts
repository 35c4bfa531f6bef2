/** What is seen of a rollout: differences of totals from the moment on at which each obeys, by side. */
import { describe, expect, it } from 'vitest';
import { InstanceRecord } from '../../../control-plane/fleet/instance-record.ts';
import { RolloutWatch } from '../../../control-plane/fleet/rollout-watch.ts';
import { chooseSalt } from '../../../control-plane/policy/rollout-salt.ts';
import type { Heartbeat } from '../../../proto/fleet-messages.ts';
import { type Bundle, obeysCandidate } from '../../../proto/policy/bundle.ts';

const target = 'shop/payments';
const ids = ['p-0', 'p-1'];
const salt = chooseSalt('s', 50, [ids]);
const chosen = ids.find((id) => obeysCandidate({ percent: 50, salt }, id)) ?? '';
const other = ids.find((id) => id !== chosen) ?? '';
const bundle = (hash: string): Bundle => ({
  v: 1,
  target,
  epoch: '0000000000000001',
  version: 1,
  hash,
  stable: null,
  candidate: null,
  percent: 50,
  salt,
  sources: [],
  overridden: [],
  mustUnderstand: [],
});

interface Beat {
  readonly requests: number;
  readonly rejected?: number;
  readonly failure?: number;
  readonly hash?: string;
  readonly status?: string;
  readonly incarnation?: string;
  readonly service?: string;
}

let seq = 0;
function beat(instance: string, { requests, rejected = 0, failure = 0, ...more }: Beat): Heartbeat {
  const { hash = 'h1', status = 'applied', incarnation = 'a', service = 'payments' } = more;
  const direction = service === 'payments' ? 'inbound' : 'outbound';
  const success = requests - rejected - failure;
  const counts = { requests, success, failure, rejected: { rate_limit: rejected }, latencyBuckets: [] };
  return {
    v: 1,
    identity: { namespace: 'shop', service, instance, incarnation, zone: '', version: '1' },
    seq: ++seq,
    address: '',
    draining: false,
    intervalMs: 1000,
    policies: [{ target, epoch: 'e', version: 1, hash, status, message: 'why' }],
    traffic: [{ direction, peer: target, ...counts, inFlight: 0, concurrencyLimit: 0, queueDepth: 0 }],
    breakers: [],
    process: null,
  };
}

describe('RolloutWatch', () => {
  it('counts each side from when it obeys, callers by themselves', () => {
    const records = [chosen, other].map((id) => new InstanceRecord(beat(id, { requests: 1000 }), 0));
    const caller = new InstanceRecord(beat(chosen, { requests: 50, service: 'orders' }), 0);
    const watch = new RolloutWatch(target);
    const all = [...records, caller];
    expect(watch.look(bundle('h1'), all, 0)).toMatchObject({ chosen: 2, awaited: 0, refused: [], observedMs: 0 });
    records[0]?.onHeartbeat(beat(chosen, { requests: 1100, rejected: 60 }), 1000);
    records[1]?.onHeartbeat(beat(other, { requests: 1300, failure: 3 }), 1000);
    caller.onHeartbeat(beat(chosen, { requests: 90, failure: 10, service: 'orders' }), 1000);
    expect(watch.look(bundle('h1'), all, 1000)).toMatchObject({
      inbound: {
        candidate: { requests: 100, rejected: 60, succeeded: 40, failed: 0 },
        stable: { requests: 300, rejected: 0, succeeded: 297, failed: 3 },
      },
      outbound: { candidate: { requests: 40, failed: 10 }, stable: { requests: 0 } },
      observedMs: 1000,
    });
  });

  it('awaits who has not said that it obeys, and names who refuses with the reason', () => {
    const late = new InstanceRecord(beat(chosen, { requests: 0, hash: 'h0' }), 0);
    const watch = new RolloutWatch(target);
    expect(watch.look(bundle('h1'), [late], 0)).toMatchObject({ chosen: 1, awaited: 1, refused: [] });
    late.onHeartbeat(beat(chosen, { requests: 0, status: 'rejected' }), 100);
    expect(watch.look(bundle('h1'), [late], 100)).toMatchObject({
      awaited: 0,
      refused: [{ instance: `shop/payments/${chosen}`, message: 'why' }],
    });
    // Who is not chosen does not decide; who is silent is not live.
    const bystander = new InstanceRecord(beat(other, { requests: 0, status: 'rejected' }), 0);
    expect(watch.look(bundle('h1'), [bystander], 0)).toMatchObject({ chosen: 0, refused: [] });
    expect(watch.look(bundle('h1'), [late], 60_000)).toMatchObject({ chosen: 0, awaited: 0 });
  });

  it('begins again with each stage, and with an instance that restarted', () => {
    const record = new InstanceRecord(beat(chosen, { requests: 10 }), 0);
    const watch = new RolloutWatch(target);
    watch.look(bundle('h1'), [record], 0);
    record.onHeartbeat(beat(chosen, { requests: 5, incarnation: 'b' }), 100);
    watch.look(bundle('h1'), [record], 100);
    record.onHeartbeat(beat(chosen, { requests: 25, incarnation: 'b' }), 200);
    expect(watch.look(bundle('h1'), [record], 200).inbound.candidate.requests).toBe(20);
    record.onHeartbeat(beat(chosen, { requests: 40, incarnation: 'b', hash: 'h2' }), 300);
    expect(watch.look(bundle('h2'), [record], 300)).toMatchObject({
      inbound: { candidate: { requests: 0 } },
      observedMs: 0,
    });
  });
});
