/**
 * Floods of frames that cost little to send, by name, over a real socket against a real sidecar: what the attacker got,
 * what it cost us, and that nobody else noticed (see test/support/attack/rig.ts).
 */
import { describe, expect, test } from 'vitest';
import { ErrorCode, Flag, FrameType, SettingId } from '../../sidecar/http2/constants.ts';
import type { Attacker } from '../support/attack/attacker.ts';
import {
  continuation,
  data,
  headers,
  literal,
  ping,
  request,
  reset,
  settings,
  shortGet,
  windowUpdate,
} from '../support/attack/blocks.ts';
import { rigForAll } from '../support/attack/rig.ts';
import { until } from '../support/until.ts';
import { frame } from '../support/wire.ts';

const at = rigForAll();

interface Flood {
  readonly name: string;
  /** What comes first. */
  readonly prepare?: (attacker: Attacker) => void;
  readonly make: (index: number) => Buffer;
  /** The bound it hits, and how many it may send before that; in all it would like to send ten times as many. */
  readonly limit: string;
  readonly allowed: number;
}

const id = (index: number): number => index * 2 + 1;
const hang = (index: number): Buffer => headers(id(index), shortGet('/hang'));
const openPost = headers(1, request('POST', '/hang'), Flag.endHeaders);
const pseudo = Buffer.alloc(5);

const floods: readonly Flood[] = [
  {
    name: 'CVE-2019-9512 ping flood',
    make: ping,
    limit: 'ping_rate',
    allowed: 100,
  },
  {
    name: 'CVE-2019-9513 resource loop: streams shuffled by PRIORITY',
    make: (index) => frame(FrameType.priority, 0, id(index % 50), Buffer.from([0, 0, 0, 0, index & 0xff])),
    prepare: (attacker) => attacker.send(ping()),
    limit: 'priorities',
    allowed: 100,
  },
  {
    name: 'CVE-2019-9514 reset flood: malformed requests that ask for RST_STREAM',
    make: (index) => headers(id(index), literal('no-pseudo', 'header')),
    limit: 'resets',
    allowed: 500,
  },
  {
    name: 'CVE-2019-9515 settings flood',
    make: () => settings(),
    limit: 'settings_rate',
    allowed: 49,
  },
  {
    name: 'CVE-2019-9515 settings flood, many entries in one frame',
    make: () => settings(...Array.from({ length: 33 }, () => [SettingId.initialWindowSize, 65_535] as const)),
    limit: 'settings_entries',
    allowed: 0,
  },
  {
    name: 'CVE-2019-9516 zero-length header names',
    make: (index) => headers(id(index), Buffer.concat([request('GET', '/hang'), literal('', 'x'), literal('', '')])),
    limit: 'resets',
    allowed: 500,
  },
  {
    name: 'CVE-2019-9518 empty DATA frames',
    prepare: (attacker) => attacker.send(openPost),
    make: () => data(1, ''),
    limit: 'empty_data',
    allowed: 100,
  },
  {
    name: 'CVE-2019-9518 DATA frames of nothing but padding',
    prepare: (attacker) => attacker.send(openPost),
    make: () => data(1, Buffer.from([10, ...Buffer.alloc(10)]), Flag.padded),
    limit: 'empty_data',
    allowed: 100,
  },
  {
    name: 'CVE-2023-44487 rapid reset',
    make: (index) => Buffer.concat([hang(index), reset(id(index), ErrorCode.cancel)]),
    limit: 'resets',
    allowed: 500,
  },
  {
    name: 'CVE-2025-8671 MadeYouReset by a window update of nothing',
    make: (index) => Buffer.concat([hang(index), windowUpdate(id(index), 0)]),
    limit: 'resets',
    allowed: 500,
  },
  {
    name: 'CVE-2025-8671 MadeYouReset by a window overflow',
    make: (index) => Buffer.concat([hang(index), windowUpdate(id(index), 0x7fffffff)]),
    limit: 'resets',
    allowed: 500,
  },
  {
    name: 'CVE-2025-8671 MadeYouReset by DATA after END_STREAM',
    make: (index) => Buffer.concat([hang(index), data(id(index), 'more')]),
    limit: 'resets',
    allowed: 500,
  },
  {
    name: 'CVE-2025-8671 MadeYouReset by HEADERS after END_STREAM',
    make: (index) => Buffer.concat([hang(index), hang(index)]),
    limit: 'resets',
    allowed: 500,
  },
  {
    name: 'CVE-2025-8671 MadeYouReset by a PRIORITY of a wrong size',
    make: (index) => Buffer.concat([hang(index), frame(FrameType.priority, 0, id(index), pseudo.subarray(1))]),
    limit: 'resets',
    allowed: 500,
  },
  {
    name: 'CVE-2025-8671 MadeYouReset by more content than announced',
    make: (index) =>
      Buffer.concat([
        headers(id(index), request('POST', '/hang', ['content-length', '1']), Flag.endHeaders),
        data(id(index), 'more'),
      ]),
    limit: 'resets',
    allowed: 500,
  },
  {
    name: 'CVE-2024-27316 CONTINUATION flood',
    prepare: (attacker) => attacker.send(headers(1, request('GET', '/'), Flag.endStream)),
    make: (index) => continuation(1, literal(`x-${index}`, 'x'.repeat(100))),
    limit: 'header_block',
    allowed: 8,
  },
  {
    name: 'CVE-2026-33871 CONTINUATION flood of zero bytes',
    prepare: (attacker) => attacker.send(headers(1, Buffer.alloc(0), Flag.endStream)),
    make: () => continuation(1),
    limit: 'header_block',
    allowed: 8,
  },
  {
    name: 'CONTINUATION frames that are few and large',
    prepare: (attacker) => attacker.send(headers(1, Buffer.alloc(16_000), Flag.endStream)),
    make: () => continuation(1, Buffer.alloc(16_384)),
    limit: 'header_block',
    allowed: 3,
  },
  {
    name: 'a flood of WINDOW_UPDATE',
    make: () => windowUpdate(0, 1),
    limit: 'window_updates',
    allowed: 5,
  },
  {
    name: 'a flood of frames of unknown types',
    // Else the warning, a GOAWAY, would be the end of an idle connection.
    prepare: (attacker) => attacker.send(hang(0)),
    make: () => frame(0x42, 0, 0, 'ab'),
    limit: 'glitches',
    allowed: 9999,
  },
  {
    name: 'a flood of GOAWAY',
    prepare: (attacker) => attacker.send(hang(0)),
    make: () => frame(FrameType.goaway, 0, 0, Buffer.alloc(8)),
    limit: 'glitches',
    allowed: 9999,
  },
  {
    name: 'a flood of HEADERS for a stream that was reset',
    prepare: (attacker) => attacker.send(headers(1, literal('no-pseudo', 'header')), hang(1)),
    make: () => hang(0),
    limit: 'glitches',
    allowed: 9998,
  },
  {
    name: 'a flood of RST_STREAM for one stream',
    prepare: (attacker) => attacker.send(hang(0), hang(1)),
    make: () => reset(1, ErrorCode.cancel),
    limit: 'glitches',
    allowed: 10_100,
  },
];

const byName = floods.map((flood) => [flood.name, flood] as const);

describe('A flood ends with ENHANCE_YOUR_CALM:', () => {
  test.each(byName)('%s', async (_name, { prepare, make, limit, allowed }) => {
    const requestsBefore = at.rig.app.requests;
    const report = await at.rig.attack(async (attacker) => {
      prepare?.(attacker);
      await attacker.flood((allowed + 1) * 10, make);
      await attacker.thrownOut();
    });
    const { attacker } = report;
    expect(attacker.goaway?.code).toBe(ErrorCode.enhanceYourCalm);
    expect(attacker.framesSinceGoaway).toBe(0);
    expect(report.limits.get(limit)).toBe(1);
    // What was sent beyond the bound has reached nobody.
    expect(at.rig.app.requests - requestsBefore).toBeLessThanOrEqual(allowed + 1);
  });

  test.each(byName)('not before: %s', async (_name, { prepare, make, allowed }) => {
    const attacker = await at.rig.connect();
    prepare?.(attacker);
    // Half of it, so that neither time nor what came first matters.
    await attacker.flood(allowed >> 1, make);
    attacker.send(ping());
    await until(() => attacker.pongs > 0 || attacker.isOver || allowed < 20, {
      what: 'the PING behind it is answered',
    });
    if (allowed >= 20) expect(attacker.isOver).toBe(false);
    attacker.close();
  });
});

test('the first of each kind is logged with who it was, the rest are counted', () => {
  const lines = at.rig.logs.filter(({ msg }) => msg === 'http2 limit');
  expect(lines.find(({ limit }) => limit === 'ping_rate')).toMatchObject({ level: 'warn', from: '127.0.0.1' });
  expect(lines.filter(({ limit, count }) => limit === 'resets' && count === undefined)).toHaveLength(1);
});
