/** The bounds of rollouts, and what only one may do, on a bus in memory. */
import { createHash } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import { FleetView } from '../../../control-plane/fleet/fleet-view.ts';
import { Audit } from '../../../control-plane/service/audit.ts';
import { BundlePublisher } from '../../../control-plane/service/bundle-publisher.ts';
import { PolicyService } from '../../../control-plane/service/policy-service.ts';
import { PolicyStore } from '../../../control-plane/service/policy-store.ts';
import { activeRolloutsMax, RolloutService } from '../../../control-plane/service/rollout-service.ts';
import { silentLog } from '../../../proto/kernel/log-format.ts';
import { buckets } from '../../../proto/subjects.ts';
import { MemoryBus } from '../../support/memory-bus.ts';

const keptMax = activeRolloutsMax + 5;
let wallMs: number;
let bus: MemoryBus;
let store: PolicyStore;
let rollouts: RolloutService;
let leads: boolean;

beforeEach(async () => {
  wallMs = 1_764_000_000_000;
  leads = true;
  bus = new MemoryBus();
  const clock = { nowMs: () => wallMs, wallMs: () => wallMs };
  const audit = new Audit(bus, silentLog);
  store = new PolicyStore({ bus, replicas: 1, log: silentLog, onBundle() {} });
  const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16);
  const publisher = new BundlePublisher(store, hashOf);
  const policies = new PolicyService({ store, publisher, bus, audit, clock, log: silentLog });
  const leadership = { leads: () => leads, epochOf: () => '' };
  rollouts = new RolloutService({
    store,
    policies,
    fleet: new FleetView(),
    audit,
    clock,
    leadership,
    keptMax,
    onStep() {},
  });
  await policies.reconcile();
});

const writing = { namespace: 'shop', by: 'test', dryRun: false };
const document = (name: string, service = name) => ({
  apiVersion: 'weir.dev/v1alpha1',
  kind: 'TrafficPolicy',
  metadata: { name },
  spec: { target: { service }, inbound: { concurrency: { fixed: { limit: 8 } } } },
});
const start = (name: string, service?: string) =>
  rollouts.start(name, { policy: document(name, service), stages: [{ percent: 10, hold: '1s' }] }, undefined, writing);
const abort = (name: string) => rollouts.act('abort', name, '*', writing);

describe('RolloutService', () => {
  it('has only so many under way, and room again when one is over', async () => {
    for (let i = 0; i < activeRolloutsMax; i++) expect((await start(`p-${i}`)).kind).toBe('ok');
    expect(await start('late')).toMatchObject({ kind: 'full' });
    await abort('p-3');
    expect((await start('late')).kind).toBe('ok');
  });

  it('keeps only so many that are over, and forgets the one that is over for the longest', async () => {
    for (let i = 0; i < keptMax; i++) {
      await start(`p-${i}`);
      await abort(`p-${i}`);
    }
    expect((await start('late')).kind).toBe('ok');
    expect(store.rollouts.size).toBe(keptMax);
    expect(rollouts.get('shop', 'p-0')).toBeUndefined();
    expect(rollouts.get('shop', 'p-1')).toBeDefined();
    expect([...bus.bucket(buckets.policy).entries.keys()].filter((key) => key.startsWith('ro.'))).toHaveLength(keptMax);
  });

  it('has one of a service at a time, and refuses what would change nothing', async () => {
    await start('a', 'payments');
    expect(await start('b', 'payments')).toMatchObject({ kind: 'exists', current: { name: 'a' } });
    await abort('a');
    expect((await start('b', 'payments')).kind).toBe('ok');
    const other = { ...document('c'), spec: { target: { service: 'c' } } };
    expect((await rollouts.start('c', { policy: other, kew: 1 }, undefined, writing)).kind).toBe('invalid');
  });

  it('is driven by who leads, once, to a revision that says what the candidate says', async () => {
    await start('a');
    leads = false;
    const later = async (ms: number): Promise<string | undefined> => {
      wallMs += ms;
      await rollouts.tick();
      return rollouts.get('shop', 'a')?.phase;
    };
    await later(0);
    expect(await later(60_000)).toBe('progressing');
    leads = true;
    expect(await later(500)).toBe('promoted');
    expect(await later(60_000)).toBe('promoted');
    expect(store.documents.get('shop/a')?.revision).toMatchObject({ revision: 1, by: 'test', reason: 'rollout' });
  });
});
