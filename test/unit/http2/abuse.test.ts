/**
 * Limits in conversation with the engine: what the peer gets, and that nothing follows a fatal GOAWAY.
 */
import { describe, expect, test } from 'vitest';
import { ErrorCode, Flag, FrameType, prefaceBytes } from '../../../sidecar/http2/constants.ts';
import { HeaderList } from '../../../sidecar/http2/hpack/field.ts';
import { Limit } from '../../../sidecar/http2/limit-codes.ts';
import { defaultLimits } from '../../../sidecar/http2/limits.ts';
import { Waits } from '../../../sidecar/http2/waits.ts';
import { frame, framesOf, Peer, Recorder, settle } from '../../support/wire.ts';

const getBlock = '82868441' + '0161';
const get = (streamId: number): Buffer =>
  frame(FrameType.headers, Flag.endHeaders | Flag.endStream, streamId, getBlock);
const reset = (streamId: number): Buffer => frame(FrameType.rstStream, 0, streamId, '00000008');
const greeting = Buffer.concat([
  Buffer.from(prefaceBytes),
  frame(FrameType.settings, 0, 0),
  frame(FrameType.settings, Flag.ack, 0),
]);

function server(limits = defaultLimits): Peer {
  const peer = new Peer(true, limits);
  peer.receive(greeting);
  peer.take();
  return peer;
}

/** The last GOAWAY's code; nothing may follow it. */
function goawayCode(peer: Peer): number {
  const frames = framesOf(peer.take());
  const goaway = frames.at(-1);
  expect(goaway?.type).toBe(FrameType.goaway);
  return goaway?.payload.readUInt32BE(4) ?? -1;
}

describe('A server under abuse', () => {
  test('ends rapid resets at the 501st stream, and hears nothing of the 502nd', () => {
    const peer = server();
    for (let id = 1; id <= 2001; id += 2) peer.receive(Buffer.concat([get(id), reset(id)]));
    expect(peer.limits).toEqual([Limit.resets]);
    expect(peer.requests.length).toBe(501);
    expect(goawayCode(peer)).toBe(ErrorCode.enhanceYourCalm);
    peer.receive(get(3001));
    expect(peer.take().length).toBe(0);
  });

  test('tells every handler once, whichever limit ends the connection', () => {
    const peer = server({ ...defaultLimits, glitchesMax: 10 });
    peer.receive(get(1));
    peer.receive(get(3));
    let resets = 0;
    for (const { stream } of peer.requests) stream.handler = { ...noHandler, onReset: () => resets++ };
    // Each window update of nothing resets a stream and is a glitch; the tenth glitch ends all.
    for (let i = 0; i < 9; i++) peer.receive(frame(0x42, 0, 0));
    peer.receive(frame(FrameType.windowUpdate, 0, 1, '00000000'));
    expect(peer.fatal?.code).toBe(ErrorCode.enhanceYourCalm);
    expect(resets).toBe(2);
  });

  test('warns by GOAWAY without error at three quarters of the glitches, and serves the streams that it has', () => {
    const peer = server({ ...defaultLimits, glitchesMax: 100 });
    peer.receive(get(1));
    for (let i = 0; i < 75; i++) peer.receive(frame(0x42, 0, 0));
    expect(peer.limits).toEqual([Limit.glitchesWarning]);
    const goaway = framesOf(peer.take()).find(({ type }) => type === FrameType.goaway);
    expect(goaway?.payload.readUInt32BE(4)).toBe(ErrorCode.noError);
    expect(peer.fatal).toBeNull();
    expect(peer.requests[0]?.handler.reset).toBeNull();
  });

  test('ends a peer that lets a thousand control frames wait, but not one that makes us say as much in one read', () => {
    const refusedBy = { ...defaultLimits, concurrentStreamsMax: 1 };
    const many = (count: number, from: number): Buffer =>
      Buffer.concat(Array.from({ length: count }, (_, index) => get(from + index * 2)));
    const reading = server(refusedBy);
    reading.receive(many(1500, 1));
    expect(reading.fatal).toBeNull();
    const stuck = server(refusedBy);
    stuck.receive(get(1));
    stuck.connection.take([]);
    stuck.connection.receive(get(3), 0, get(3).length);
    stuck.connection.take([]);
    stuck.receive(many(1000, 5));
    expect(stuck.fatal).toBeNull();
    stuck.receive(get(5001));
    expect(stuck.limits.at(-1)).toBe(Limit.controlFrames);
    expect(stuck.fatal?.code).toBe(ErrorCode.enhanceYourCalm);
  });

  test('refuses new streams while its output waits', () => {
    const peer = server({ ...defaultLimits, outputBytesMax: 65_536 });
    const bytes = Buffer.alloc(60_000);
    peer.receive(frame(FrameType.windowUpdate, 0, 0, '000fffff'));
    peer.receive(get(1));
    peer.receive(get(3));
    for (const { stream } of peer.requests) stream.sendData(bytes, 0, bytes.length, false);
    peer.receive(get(5));
    expect(peer.requests.length).toBe(2);
    expect(peer.limits).toEqual([Limit.outputBytes]);
  });

  test('bears late frames for the last thousand streams that it has reset', () => {
    const peer = server({ ...defaultLimits, concurrentStreamsMax: 2000, glitchesMax: 10 });
    const post = (id: number): Buffer => frame(FrameType.headers, Flag.endHeaders, id, `83868441${'0161'}`);
    for (let index = 0; index < 1000; index++) peer.receive(post(index * 2 + 1));
    for (const { stream } of peer.requests) stream.reset(ErrorCode.noError);
    for (let index = 0; index < 1000; index++) peer.receive(frame(FrameType.data, 0, index * 2 + 1, 'aa'));
    expect(peer.fatal).toBeNull();
    expect(peer.limits).toEqual([]);
  });

  test('throws out by tick who sends no SETTINGS, who acknowledges none, and who ends no header block', () => {
    const silent = new Peer(true);
    silent.connection.onTick(5000);
    silent.connection.onTick(14_999);
    expect(silent.fatal).toBeNull();
    silent.connection.onTick(15_000);
    expect(silent.limits).toEqual([Limit.prefaceTimeout]);
    const deaf = new Peer(true);
    deaf.receive(Buffer.concat([Buffer.from(prefaceBytes), frame(FrameType.settings, 0, 0)]));
    deaf.connection.onTick(1);
    deaf.connection.onTick(10_001);
    expect(deaf.limits).toEqual([Limit.settingsAckTimeout]);
    expect(goawayCode(deaf)).toBe(ErrorCode.settingsTimeout);
    const slow = server();
    slow.receive(frame(FrameType.headers, Flag.endStream, 1, getBlock));
    slow.connection.onTick(1);
    slow.connection.onTick(10_001);
    expect(slow.limits).toEqual([Limit.headersTimeout]);
  });
});

describe('HPACK tables of other sizes', () => {
  const names = ['a', 'b', 'c', 'd'];
  const list = (value: string): HeaderList =>
    HeaderList.of([
      [':method', 'GET'],
      [':scheme', 'http'],
      [':path', '/'],
      [':authority', 'shop'],
      ...names.map((name) => [`user-agent-${name}`, value] as const),
      ['user-agent', value],
    ]);

  test.each([
    ['as large as may be', { decoderTableBytesMax: 65_536, encoderTableBytesMax: 4096 }],
    ['none on our side', { decoderTableBytesMax: 4096, encoderTableBytesMax: 0 }],
  ])('%s: both ends stay in step', (_name, tables) => {
    const [client, server] = [new Peer(false, { ...defaultLimits, ...tables }), new Peer(true)];
    settle(client, server);
    const values = Array.from({ length: 60 }, (_, index) => `agent ${index % 7}-${'x'.repeat(index * 9)}`);
    for (const value of values) {
      client.connection.request(list(value), true, new Recorder());
      settle(client, server);
      server.requests.at(-1)?.stream.reset(ErrorCode.cancel);
      settle(client, server);
    }
    expect(server.requests.map(({ head }) => head.get('user-agent'))).toEqual(values);
    expect(client.fatal ?? server.fatal).toBeNull();
  });
});

describe('Waits', () => {
  const isLate = (waits: Waits, nowMs: number, unfinished: number): boolean =>
    waits.overdue(nowMs, true, unfinished) === Limit.headersTimeout;

  test('begins anew with each block or frame, and not with the parts of one', () => {
    const waits = new Waits(defaultLimits);
    expect(isLate(waits, 0, 7)).toBe(false);
    expect(isLate(waits, 9000, 7)).toBe(false);
    expect(isLate(waits, 9500, 8)).toBe(false);
    expect(isLate(waits, 19_000, 8)).toBe(false);
    expect(isLate(waits, 19_250, 0)).toBe(false);
    expect(isLate(waits, 40_000, 9)).toBe(false);
    expect(isLate(waits, 50_000, 9)).toBe(true);
  });
});

const noHandler = { onHeaders: () => {}, onData: () => {}, onTrailers: () => {} };
