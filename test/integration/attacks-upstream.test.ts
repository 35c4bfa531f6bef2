/**
 * The same attacks from the other end: an upstream that attacks the sidecar which calls it. The caller gets an answer that
 * says so, the sidecar stays within its bounds, and requests to other services do not notice.
 */
import net from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Flag, FrameType, prefaceBytes, SettingId } from '../../sidecar/http2/constants.ts';
import {
  block,
  continuation,
  data,
  headers,
  indexed,
  inserted,
  literal,
  ping,
  settings,
  windowUpdate,
} from '../support/attack/blocks.ts';
import { AttackRig } from '../support/attack/rig.ts';
import { until } from '../support/until.ts';
import { frame, framesOf } from '../support/wire.ts';

const framesMax = 20_000;

/** Once it has been asked, it sends frames, one after the other, until it is thrown out. */
class EvilUpstream {
  sentFrames = 0;
  isThrownOut = false;
  private readonly make: (index: number) => Buffer;
  private readonly server: net.Server;

  constructor(make: (index: number) => Buffer) {
    this.make = make;
    this.server = net.createServer({ noDelay: true }, (socket) => this.onSocket(socket));
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    const { port }: net.AddressInfo = Object.assign({ address: '', family: '', port: 0 }, this.server.address());
    return `127.0.0.1:${port}`;
  }

  close(): void {
    this.server.close();
  }

  private onSocket(socket: net.Socket): void {
    socket.on('error', () => {});
    socket.on('close', () => {
      this.isThrownOut = true;
    });
    socket.write(Buffer.concat([settings(), frame(FrameType.settings, Flag.ack, 0)]));
    let seen = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      const wasAsked = hasRequest(seen);
      seen = Buffer.concat([seen, chunk]);
      if (!wasAsked && hasRequest(seen)) void this.flood(socket);
    });
  }

  private async flood(socket: net.Socket): Promise<void> {
    while (this.sentFrames < framesMax && !socket.destroyed) {
      const first = this.sentFrames;
      this.sentFrames += 50;
      socket.write(Buffer.concat(Array.from({ length: 50 }, (_, index) => this.make(first + index))));
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

function hasRequest(bytes: Buffer): boolean {
  return framesOf(bytes.subarray(prefaceBytes.length)).some(({ type }) => type === FrameType.headers);
}

const ok = Buffer.from([0x88]);
const references = Buffer.alloc(16_000, indexed(62));

interface Evil {
  readonly name: string;
  readonly make: (index: number) => Buffer;
  /** What the caller gets: a head that has been sent is followed by a reset. */
  readonly status: number;
  readonly limit?: string;
}

const evils: readonly Evil[] = [
  {
    name: 'CVE-2026-33814 SETTINGS_MAX_FRAME_SIZE of 0',
    make: () => settings([SettingId.maxFrameSize, 0]),
    status: 502,
  },
  { name: 'CVE-2019-9512 ping flood', make: ping, status: 502, limit: 'ping_rate' },
  { name: 'CVE-2019-9515 settings flood', make: () => settings(), status: 502, limit: 'settings_rate' },
  {
    name: 'CVE-2024-27316 CONTINUATION flood',
    make: (index) => (index === 0 ? headers(1, ok, 0) : continuation(1, literal(`x-${index}`, 'x'.repeat(100)))),
    status: 502,
    limit: 'header_block',
  },
  {
    name: 'CVE-2026-33871 CONTINUATION flood of zero bytes',
    make: (index) => (index === 0 ? headers(1, ok, 0) : continuation(1)),
    status: 502,
    limit: 'header_block',
  },
  {
    name: 'CVE-2016-6581 HPACK bomb',
    make: () =>
      headers(1, Buffer.concat([ok, inserted('x-bomb', 'b'.repeat(4000)), references.subarray(0, 12_000)]), 4),
    status: 502,
    limit: 'header_list_far',
  },
  { name: 'a flood of WINDOW_UPDATE', make: () => windowUpdate(0, 1), status: 502, limit: 'window_updates' },
  { name: 'window overflow', make: () => windowUpdate(0, 0x7fffffff), status: 502 },
  {
    name: 'informational heads without end, past all windows',
    make: () => headers(1, literal(':status', '103'), Flag.endHeaders),
    status: 502,
    limit: 'informational_heads',
  },
  { name: 'PUSH_PROMISE', make: () => frame(FrameType.pushPromise, 4, 1, '0000000288'), status: 502 },
  { name: 'content before a head', make: () => data(1, 'x'), status: 502 },
  { name: 'a head that is none', make: () => headers(1, literal('x', 'y'), Flag.endHeaders), status: 502 },
  {
    name: 'content beyond the window of the stream',
    make: (index) => (index === 0 ? headers(1, ok, 4) : data(1, Buffer.alloc(16_384))),
    status: 200,
  },
  {
    name: 'CVE-2019-9518 empty DATA frames',
    make: (index) => (index === 0 ? headers(1, ok, 4) : data(1, '')),
    status: 200,
    limit: 'empty_data',
  },
];

// One for each, since a sidecar leaves an upstream alone that has failed it.
const upstreams = evils.map(({ make }) => new EvilUpstream(make));
let rig: AttackRig;

beforeAll(async () => {
  const addresses = await Promise.all(upstreams.map((upstream) => upstream.listen()));
  rig = await AttackRig.start(
    addresses.flatMap((address, index) => ['--endpoint', `default/evil-${index}=${address}`]),
  );
});

afterAll(async () => {
  await rig.stop();
  for (const upstream of upstreams) upstream.close();
});

const callTo = (index: number): Buffer =>
  block([
    [':method', 'GET'],
    [':scheme', 'http'],
    [':path', '/'],
    [':authority', `evil-${index}.default`],
  ]);

test.each(evils.map((each, index) => [each.name, index] as const))('%s', async (_name, index) => {
  const upstream = upstreams[index];
  const { status, limit } = evils[index] ?? {};
  const report = await rig.attack(
    async (caller) => {
      caller.send(headers(1, callTo(index)));
      const isAnswered = (): boolean => (caller.statuses.get(1) ?? 0) >= 200 || caller.resets.has(1);
      await until(isAnswered, { what: 'the caller gets an answer' });
      if (status === 200) await until(() => caller.resets.has(1), { what: 'and hears that it is not whole' });
    },
    undefined,
    rig.outbound,
  );
  const { attacker: caller } = report;
  expect(caller.statuses.get(1)).toBe(status);
  expect(caller.goaways).toEqual([]);
  if (limit === undefined) return;
  expect(report.limits.get(limit)).toBe(1);
  // That one ends the stream; what comes behind it is bounded as resets and frames for closed streams are.
  if (limit === 'informational_heads') return;
  await until(() => upstream?.isThrownOut, { what: 'the upstream is thrown out' });
  expect(upstream?.sentFrames).toBeLessThan(framesMax);
});
