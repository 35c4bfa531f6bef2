/** The control link against a real nats-server: policy down, acks and reports up, and a server that dies. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { shardOf } from '../../proto/subjects.ts';
import { type ControlLink, startControlLink } from '../../sidecar/io/control-link/control-link.ts';
import { ControlRoom, makeBundle } from '../support/control-room.ts';
import { FakeMesh } from '../support/fake-mesh.ts';
import { startNatsServer, type TestNatsServer } from '../support/nats-server.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';

const own = 'shop/orders';
const target = 'shop/payments';

let nats: TestNatsServer;
let room: ControlRoom;
let mesh: FakeMesh;
let links: ControlLink[];

beforeEach(async () => {
  nats = await startNatsServer();
  room = await ControlRoom.open(nats.url);
  mesh = new FakeMesh('orders-0');
  links = [];
});

afterEach(async () => {
  for (const link of links) await link.close();
  await room.close();
  await nats.stop();
});

function link(to: FakeMesh, dataDir?: string): ControlLink {
  const started = startControlLink(to, { servers: [nats.url], dataDir });
  links.push(started);
  return started;
}

const versions = (of: FakeMesh): number[] => of.applied.map((bundle) => bundle.version);

describe('control link', () => {
  it('reads the own bundle at the start, applies pushed ones, acks both and repeats the outcome in heartbeats', async () => {
    await room.putBundle(makeBundle({ target: own, version: 1 }));
    link(mesh);
    await until(() => versions(mesh).length === 1, { what: 'version 1 is read' });
    await room.putBundle(makeBundle({ target: own, version: 2, salt: 'b' }));
    await until(() => versions(mesh).length === 2, { what: 'version 2 is pushed' });
    await until(() => room.acks.length === 2, { what: 'both are acknowledged' });
    expect(room.acks.map(({ applied }) => [applied.version, applied.status])).toEqual([
      [1, 'applied'],
      [2, 'applied'],
    ]);
    const beat = await until(() => room.heartbeats.find(({ policies }) => policies[0]?.version === 2), {
      what: 'a heartbeat says version 2',
    });
    expect(beat.policies).toEqual([room.acks[1]!.applied]);
    expect(beat.address).toBe('127.0.0.1:15006');
  });

  it('acknowledges a bundle that is sent again, without applying it again', async () => {
    const text = JSON.stringify(makeBundle({ target: own }));
    link(mesh);
    await until(() => room.heartbeats.length > 0, { what: 'the link is up' });
    room.push(own, text);
    room.push(own, text);
    await until(() => room.acks.length === 2, { what: 'two acks' });
    expect(mesh.applied).toHaveLength(1);
  });

  it('refuses an older version and an older epoch, and takes a new epoch whatever its version', async () => {
    link(mesh);
    await until(() => room.heartbeats.length > 0, { what: 'the link is up' });
    for (const [epoch, version] of [
      ['0000000000000002', 7],
      ['0000000000000002', 6],
      ['0000000000000001', 9],
      ['0000000000000003', 1],
    ] as const) {
      room.push(own, JSON.stringify(makeBundle({ target: own, epoch, version })));
    }
    await until(() => mesh.applied.length === 2, { what: 'the first and the last are applied' });
    expect(mesh.applied.map(({ epoch, version }) => [epoch, version])).toEqual([
      ['0000000000000002', 7],
      ['0000000000000003', 1],
    ]);
  });

  it('answers a broken bundle with a reason, keeps the one before, and still takes the next good one', async () => {
    link(mesh);
    await until(() => room.heartbeats.length > 0, { what: 'the link is up' });
    room.push(own, JSON.stringify({ ...makeBundle({ target: own, version: 5 }), percent: 500 }));
    room.push(own, JSON.stringify({ ...makeBundle({ target: own, version: 6 }), hash: '0123456789abcdef' }));
    room.push(own, 'not json');
    room.push(own, JSON.stringify(makeBundle({ target: own, version: 2 })));
    await until(() => mesh.applied.length === 1, { what: 'the good one is applied' });
    await until(() => room.acks.length === 4, { what: 'each is answered' });
    expect(room.acks.map(({ applied }) => applied.status)).toEqual(['rejected', 'rejected', 'rejected', 'applied']);
    expect(room.acks[0]!.applied.message).toContain('/percent');
    expect(room.acks[1]!.applied.message).toContain('hash');
  });

  it('follows bundle and endpoints of a target from its first use on', async () => {
    await room.putBundle(makeBundle({ target, version: 3 }));
    await room.putEndpoints(target, 'a', 1, ['127.0.0.1:1']);
    link(mesh);
    await until(() => room.heartbeats.length > 0, { what: 'the link is up' });
    expect(mesh.applied).toEqual([]);
    const used = mesh.useTarget(target);
    await until(() => versions(mesh).includes(3) && used.endpoints.length === 1, { what: 'both are read' });
    await room.putEndpoints(target, 'a', 3, ['127.0.0.1:1', '127.0.0.1:2']);
    await until(() => used.endpoints.length === 2, { what: 'the new list is pushed' });
    await room.putEndpoints(target, 'a', 2, []);
    await room.putEndpoints(target, 'b', 1, ['127.0.0.1:3']);
    await until(() => used.endpoints[0]?.address === '127.0.0.1:3', { what: 'a new epoch wins' });
  });

  it('reports the first failure at once, then every 100 ms while there are errors, on the subject of the target’s shard', async () => {
    const used = mesh.useTarget(target);
    link(mesh);
    await until(() => room.heartbeats.length > 0, { what: 'the link is up' });
    used.call(true);
    await until(() => room.reports.length > 0, { what: 'the calm report' });
    const before = room.reports.length;
    const failedAtMs = performance.now();
    used.call(false);
    const first = await until(() => room.reports[before], { what: 'the report of the failure', intervalMs: 1 });
    expect(first.atMs - failedAtMs).toBeLessThan(60);
    expect(first.report.targets[0]).toMatchObject({ target, n: 1, fail: 1, demand: 1 });
    expect(first.subject).toBe(`weir.rep.${shardOf(target)}.shop.orders.orders-0`);
    used.call(false);
    const second = await until(() => room.reports[before + 1], { what: 'the next report', intervalMs: 1 });
    expect(second.atMs - first.atMs).toBeLessThan(250);
    expect(second.report.seq).toBe(first.report.seq + 1);
    expect(second.report.targets[0]).toMatchObject({ n: 1, fail: 1 });
  });

  it('keeps what it has when nats-server is killed, and is back within 5 s of its return', async () => {
    await room.putBundle(makeBundle({ target: own, version: 1 }));
    const up = link(mesh);
    await until(() => mesh.applied.length === 1 && up.connected, { what: 'version 1 is in force' });
    await nats.kill9();
    await until(() => !up.connected, { what: 'the loss is noticed' });
    await nats.restart();
    const returnedAtMs = performance.now();
    await until(() => up.connected, { what: 'the link is back', timeoutMs: 5000 });
    expect(performance.now() - returnedAtMs).toBeLessThan(5000);
    await until(() => room.putBundle(makeBundle({ target: own, version: 2 })).then(() => true), {
      what: 'version 2 is stored',
    });
    await until(() => versions(mesh).includes(2), { what: 'version 2 is in force' });
    expect(versions(mesh)).toEqual([1, 2]);
  });

  it('connects once there is a server, when there was none at the start', async () => {
    await room.close();
    await nats.kill9();
    const up = link(mesh);
    await until(() => mesh.logged.some(({ message }) => message.includes('trying for ever')), { what: 'it says so' });
    expect(up.connected).toBe(false);
    await nats.restart();
    await until(() => up.connected, { what: 'the link is up' });
    expect(mesh.logged.filter(({ message }) => message.includes('trying for ever'))).toHaveLength(1);
  });

  it('obeys the last known good bundles without NATS, at the start and at a target’s first use', async () => {
    const { path: dir } = tempDir('link');
    await room.putBundle(makeBundle({ target: own, version: 4 }));
    await room.putBundle(makeBundle({ target, version: 5 }));
    mesh.useTarget(target);
    const first = link(mesh, dir);
    await until(() => mesh.applied.length === 2, { what: 'both are in force' });
    await first.close();
    await nats.kill9();
    const reborn = new FakeMesh('orders-0');
    link(reborn, dir);
    expect(versions(reborn)).toEqual([4]);
    reborn.useTarget(target);
    expect(versions(reborn)).toEqual([4, 5]);
  });

  it('leaves a policy file in force that was written after the last known good bundle, until it hears of another', async () => {
    const { path: dir } = tempDir('link');
    await room.putBundle(makeBundle({ target: own, version: 4 }));
    const first = link(mesh, dir);
    await until(() => mesh.applied.length === 1, { what: 'it is in force' });
    await first.close();
    const targets = new Set([own]);
    for (const [writtenMs, obeyed] of [
      [Date.now() - 60_000, [4]],
      [Date.now() + 1000, []],
    ] as const) {
      const reborn = new FakeMesh('orders-0');
      const again = startControlLink(reborn, { servers: [nats.url], dataDir: dir, policyFile: { writtenMs, targets } });
      links.push(again);
      expect(versions(reborn)).toEqual(obeyed);
      await until(() => versions(reborn).includes(4), { what: 'what the control plane says wins' });
      await again.close();
    }
  });

  it('ignores a damaged last known good bundle with a line in the log', async () => {
    const { path: dir } = tempDir('link');
    await room.putBundle(makeBundle({ target: own, version: 4 }));
    const first = link(mesh, dir);
    await until(() => mesh.applied.length === 1, { what: 'it is in force' });
    await first.close();
    const [name] = readdirSync(dir);
    const file = join(dir, name!);
    writeFileSync(file, readFileSync(file, 'utf8').replace('"version":4', '"version":9'));
    await nats.kill9();
    const reborn = new FakeMesh('orders-0');
    link(reborn, dir);
    expect(reborn.applied).toEqual([]);
    expect(reborn.logged).toContainEqual(expect.objectContaining({ level: 'warn', fields: { path: file } }));
  });

  it('answers dump and drain, refuses what it does not know', async () => {
    link(mesh);
    await until(() => room.heartbeats.length > 0, { what: 'the link is up' });
    const to = mesh.identity;
    expect(await room.command(to, 'dump')).toMatchObject({ ok: true, json: '{"instance":"orders-0"}' });
    expect(await room.command(to, 'drain', ['slowly'])).toMatchObject({ ok: false });
    expect(mesh.draining).toBe(false);
    expect(await room.command(to, 'drain')).toMatchObject({ ok: true });
    expect(mesh.draining).toBe(true);
    expect(await room.command(to, 'explode')).toMatchObject({ ok: false, message: 'no such command: "explode"' });
  });
});
