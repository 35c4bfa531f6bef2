/**
 * The other way round: what busy, honest clients do and what naive limits punish them for. Each does it over a real
 * socket against a real sidecar and keeps its connection; no limit is hit.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ErrorCode, Flag } from '../../sidecar/http2/constants.ts';
import { messages } from '../support/attack/app.ts';
import type { Attacker } from '../support/attack/attacker.ts';
import {
  continuation,
  data,
  headers,
  literal,
  ping,
  request,
  reset,
  shortGet,
  windowUpdate,
} from '../support/attack/blocks.ts';
import { type AttackReport, AttackRig } from '../support/attack/rig.ts';
import { until } from '../support/until.ts';

let rig: AttackRig;

beforeAll(async () => {
  rig = await AttackRig.start();
});

afterAll(() => rig.stop());

const id = (index: number): number => index * 2 + 1;

/** It still gets an answer on the connection that it began with. */
async function isServed(client: Attacker, streamId: number): Promise<void> {
  client.send(headers(streamId, shortGet('/')));
  await until(() => client.statuses.get(streamId) === 200 || client.isOver, { what: 'one more request is answered' });
}

function expectUnpunished(report: AttackReport): void {
  expect([report.survived, report.attacker.goaways, [...report.limits]]).toEqual([true, [], []]);
  expect([...report.limits]).toEqual([]);
}

test('5,000 deadline cancels a second from one client cost it nothing', async () => {
  const total = 5000;
  const deadlineMs = 20;
  const call = Buffer.concat([
    request(
      'POST',
      '/hang',
      ['content-type', 'application/grpc'],
      ['te', 'trailers'],
      ['grpc-timeout', `${deadlineMs}m`],
    ),
  ]);
  const report = await rig.attack(async (client) => {
    const startedMs = performance.now();
    const openedMs: number[] = [];
    let cancelled = 0;
    // As many as are due by now, whatever the machine's pace; each is cancelled when its own deadline has passed.
    const isDone = (): boolean => {
      const nowMs = performance.now();
      const due = Math.min(total, Math.floor((nowMs - startedMs) * (total / 1000)), cancelled + 240);
      while (cancelled < openedMs.length && nowMs - openedMs[cancelled]! >= deadlineMs) {
        client.send(reset(id(cancelled), ErrorCode.cancel));
        cancelled++;
      }
      while (openedMs.length < due) {
        client.send(headers(id(openedMs.length), call));
        openedMs.push(nowMs);
      }
      return client.isOver || cancelled === total;
    };
    await until(isDone, { what: 'all calls were cancelled', intervalMs: 1, timeoutMs: 15_000 });
    await isServed(client, id(total));
    expect(client.statuses.get(id(total))).toBe(200);
  });
  expectUnpunished(report);
});

test('a third of the requests cancelled at once, the rest answered, is life', async () => {
  const report = await rig.attack(async (client) => {
    for (let index = 0; index < 3000 && !client.isOver; index += 3) {
      client.send(headers(id(index), shortGet('/hang')), reset(id(index), ErrorCode.cancel));
      client.send(headers(id(index + 1), shortGet('/')), headers(id(index + 2), shortGet('/')));
      if (index % 90 > 0) continue;
      await until(() => client.statuses.get(id(index + 2)) === 200 || client.isOver, { what: 'it is answered' });
    }
    await isServed(client, id(3000));
  });
  expectUnpunished(report);
});

test('many small messages up: 20,000 DATA frames of 7 bytes', async () => {
  const report = await rig.attack(async (client) => {
    client.send(headers(1, request('POST', '/', ['content-type', 'application/grpc']), Flag.endHeaders));
    const windowOf = (streamId: number): number => 65_535 + (client.credit.get(streamId) ?? 0);
    for (let sent = 1000; sent <= 20_000; sent += 1000) {
      await until(() => Math.min(windowOf(0), windowOf(1)) >= sent * 7 || client.isOver, { what: 'there is credit' });
      client.send(...Array.from({ length: 1000 }, () => data(1, Buffer.alloc(7))));
    }
    client.send(data(1, '', Flag.endStream));
    await until(() => client.content.get(1) === 2 || client.isOver, { what: 'it is answered' });
  });
  expectUnpunished(report);
});

test('many small messages down, each DATA frame answered with a PING and credit (grpc-go)', async () => {
  const bytes = messages.count * messages.bytes;
  const report = await rig.attack(
    async (client) => {
      client.send(headers(1, shortGet('/messages')));
      await until(() => client.content.get(1) === bytes || client.isOver, { what: 'all messages came' });
      await until(() => client.pongs > 0 || client.isOver, { what: 'the PINGs are answered' });
    },
    { pingsOnData: true },
  );
  expect(report.attacker.content.get(1)).toBe(bytes);
  expectUnpunished(report);
});

test('a large download with a PING and two updates for every DATA frame', async () => {
  const report = await rig.attack(
    async (client) => {
      for (const index of [0, 1, 2, 3]) client.send(headers(id(index), shortGet('/big')));
      const isWhole = (index: number): boolean => client.content.get(id(index)) === 1024 * 1024;
      await until(() => [0, 1, 2, 3].every(isWhole) || client.isOver, { what: 'all is there', timeoutMs: 10_000 });
    },
    { pingsOnData: true },
  );
  expectUnpunished(report);
});

test('cookies in many crumbs, up to the limit of fields', async () => {
  const crumbs = Array.from({ length: 240 }, (_, index) => literal('cookie', `crumb-${index}=${'v'.repeat(100)}`));
  const report = await rig.attack(async (client) => {
    client.send(headers(1, Buffer.concat([shortGet('/'), ...crumbs.slice(0, 120)]), Flag.endStream));
    client.send(continuation(1, Buffer.concat(crumbs.slice(120)), Flag.endHeaders));
    await until(() => client.statuses.get(1) === 200 || client.isOver, { what: 'it is answered' });
  });
  expectUnpunished(report);
});

test('requests answered before their content was sent, by the hundred', async () => {
  const report = await rig.attack(async (client) => {
    for (let round = 0; round < 20; round++) {
      const first = round * 50;
      for (let index = first; index < first + 50; index++) {
        client.send(headers(id(index), request('POST', '/'), Flag.endHeaders), data(id(index), 'x', Flag.endStream));
      }
      await until(() => client.statuses.size === first + 50 || client.isOver, { what: 'all are answered' });
    }
    client.send(windowUpdate(0, 1000), ping());
    await isServed(client, id(1000));
  });
  expectUnpunished(report);
});
