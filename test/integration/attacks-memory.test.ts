/**
 * Attacks on memory and on the ratio of work to bytes, by name, over a real socket against a real sidecar: small input
 * that stands for large lists, output that nobody takes, windows opened by the byte.
 */
import { expect, test } from 'vitest';
import { ErrorCode, Flag, SettingId } from '../../sidecar/http2/constants.ts';
import { greeting } from '../support/attack/attacker.ts';
import {
  headers,
  indexed,
  inserted,
  literal,
  request,
  settings,
  shortGet,
  windowUpdate,
} from '../support/attack/blocks.ts';
import { rigForAll } from '../support/attack/rig.ts';
import { until } from '../support/until.ts';

const at = rigForAll();

const id = (index: number): number => index * 2 + 1;
const references = (count: number): Buffer => Buffer.alloc(count, indexed(62));

test('CVE-2016-6581 HPACK bomb: a reference of one byte to 4 KiB, thousands of times, ends the connection', async () => {
  const report = await at.rig.attack(async (attacker) => {
    attacker.send(headers(1, Buffer.concat([request('GET', '/'), inserted('x-bomb', 'b'.repeat(4000))])));
    await until(() => attacker.statuses.get(1) === 200, { what: 'the entry is in the table' });
    attacker.send(headers(3, Buffer.concat([shortGet('/'), references(16_000)])));
    await attacker.thrownOut();
  });
  expect(report.attacker.goaway?.code).toBe(ErrorCode.enhanceYourCalm);
  expect(report.limits.get('header_list_far')).toBe(1);
  expect(report.rssGrowthMb).toBeLessThan(32);
});

test('a list somewhat too large is answered 431, whole and on its stream only', async () => {
  const before = at.rig.app.requests;
  const report = await at.rig.attack(async (attacker) => {
    attacker.send(headers(1, Buffer.concat([request('GET', '/'), inserted('x-bomb', 'b'.repeat(4000))])));
    attacker.send(headers(3, Buffer.concat([shortGet('/'), references(30)])));
    attacker.send(headers(5, Buffer.concat([shortGet('/'), ...Array.from({ length: 300 }, () => literal('a', 'b'))])));
    attacker.send(headers(7, Buffer.concat([shortGet('/'), literal('x', 'y'.repeat(16_000))])));
    await until(() => attacker.statuses.size === 4, { what: 'all are answered' });
  });
  const { statuses } = report.attacker;
  expect([1, 3, 5, 7].map((streamId) => statuses.get(streamId))).toEqual([200, 431, 431, 200]);
  expect(report.survived).toBe(true);
  expect(report.limits.get('header_list')).toBe(2);
  expect(at.rig.app.requests - before).toBe(2);
});

test('CVE-2026-49975, CVE-2026-47774: lists of one-byte references, held by a zero window, stay within the streams', async () => {
  const report = await at.rig.attack(
    async (attacker) => {
      attacker.send(headers(1, Buffer.concat([shortGet('/held'), inserted('x-held', 'b'.repeat(150))])));
      const list = Buffer.concat([shortGet('/held'), references(250)]);
      await attacker.flood(2000, (index) => headers(id(index + 1), list));
      await until(() => attacker.resets.size >= 1751 || attacker.isOver, { what: 'what is beyond is refused' });
    },
    { greeting: Buffer.concat([greeting, settings([SettingId.initialWindowSize, 0])]) },
  );
  const { attacker } = report;
  expect(attacker.dataFrames).toBe(0);
  expect([...new Set(attacker.resets.values())]).toEqual([ErrorCode.refusedStream]);
  expect(report.limits.get('concurrent_streams')).toBeGreaterThanOrEqual(1751);
});

test('CVE-2019-9511 data dribble: windows opened by the byte give bytes, and nobody else waits', async () => {
  const count = 2000;
  const report = await at.rig.attack(
    async (attacker) => {
      attacker.send(headers(1, shortGet('/big')));
      await until(() => attacker.statuses.has(1), { what: 'the head is there' });
      await attacker.flood(count, () => windowUpdate(1, 1), 10);
      await until(() => attacker.content.get(1) === count || attacker.isOver, { what: 'every byte has come' });
    },
    { greeting: Buffer.concat([greeting, settings([SettingId.initialWindowSize, 0])]) },
  );
  expect(report.attacker.content.get(1) ?? 0).toBeLessThanOrEqual(count);
  expect(report.rssGrowthMb).toBeLessThan(64);
});

test('CVE-2019-9517 internal data buffering: an open window and a socket that takes nothing end at the control frames', async () => {
  const report = await at.rig.attack(
    async (attacker) => {
      attacker.stopReading();
      attacker.send(windowUpdate(0, 0x7fffffff - 65_535));
      await attacker.flood(250, (index) => headers(id(index), shortGet('/big')));
      let buffered = 0;
      const isStuck = async (): Promise<boolean> => {
        const before = buffered;
        buffered = await at.rig.bufferedBytes();
        return buffered > 1_000_000 && buffered === before;
      };
      await until(isStuck, { what: 'the socket takes no more', intervalMs: 100 });
      // Beyond the 250 that wait for the socket each request is refused, and the refusals are bounded too.
      await attacker.flood(20_000, (index) => headers(id(index + 250), shortGet('/big')), 500);
      await until(async () => (await at.rig.limitTrips()).get('control_frames') === 1, { what: 'the bound is hit' });
      attacker.startReading();
      await attacker.thrownOut();
    },
    { greeting: Buffer.concat([greeting, settings([SettingId.initialWindowSize, 0x7fffffff])]) },
  );
  expect(report.limits.get('control_frames')).toBe(1);
});

test('a zero window with data pending is no error: the stream waits, others on the connection go on', async () => {
  const report = await at.rig.attack(
    async (attacker) => {
      attacker.send(headers(1, shortGet('/big')));
      await until(() => attacker.statuses.has(1), { what: 'the stalled head is there' });
      for (let index = 1; index <= 50; index++) {
        attacker.send(headers(id(index), shortGet('/')), windowUpdate(id(index), 100));
        await until(() => attacker.content.get(id(index)) === 2, { what: 'the next stream is answered' });
      }
    },
    { greeting: Buffer.concat([greeting, settings([SettingId.initialWindowSize, 0])]) },
  );
  expect(report.survived).toBe(true);
  expect(report.attacker.resets.size).toBe(0);
  expect(report.attacker.content.get(1)).toBeUndefined();
  expect(report.limits.size).toBe(0);
});

test('uploads that nobody reads are held to a window a stream, and the others go on', async () => {
  const report = await at.rig.attack(async (attacker) => {
    const chunk = Buffer.alloc(16_384);
    attacker.send(headers(1, request('POST', '/hang'), Flag.endHeaders));
    // Beyond its window the stream is reset (§6.9.1): 65,535 and not a byte more.
    for (let sent = 0; sent < 200 && !attacker.resets.has(1); sent++) {
      attacker.send(Buffer.concat([Buffer.from([0, 0x40, 0, 0, 0, 0, 0, 0, 1]), chunk]));
    }
    await until(() => attacker.resets.has(1) || attacker.isOver || attacker.sentBytes > 3_000_000, { what: 'it ends' });
  });
  expect(report.rssGrowthMb).toBeLessThan(64);
});
