/**
 * The engine as a server, against a client that bends the rules: what of it is a stream error, what ends the connection.
 */
import { describe, expect, test } from 'vitest';
import { ErrorCode, FrameType } from '../../../sidecar/http2/constants.ts';
import { HeaderList } from '../../../sidecar/http2/hpack/field.ts';
import { errorsOf, linesOf, greetedServer as server } from '../../support/playbook.ts';
import { frame, framesOf, Peer, settle } from '../../support/wire.ts';

/** GET / by the static table only. */
const getBlock = '828684410161';
const ok = HeaderList.of([[':status', '200']]);
const pingAck = (ping: Buffer): Buffer => frame(FrameType.ping, 1, 0, ping);

describe('A stream that depends on itself', () => {
  test('is reset when its HEADERS say so, and its fields still enter the table', () => {
    const peer = server();
    // 0x40: `x: y` with incremental indexing.
    peer.receive(frame(FrameType.headers, 0x25, 1, `0000000110${getBlock}4001780179`));
    expect(errorsOf(peer)).toEqual(['RST 1 PROTOCOL_ERROR']);
    expect(peer.requests).toEqual([]);
    peer.receive(frame(FrameType.headers, 0x05, 3, `${getBlock}bf`));
    expect(peer.requests[0]!.head.get('x')).toBe('y');
  });

  test('is reset when PRIORITY says so while it is open', () => {
    const peer = server();
    peer.receive(frame(FrameType.headers, 0x04, 1, getBlock));
    peer.receive(frame(FrameType.priority, 0, 1, '8000000110'));
    expect(errorsOf(peer)).toEqual(['RST 1 PROTOCOL_ERROR']);
    expect(peer.requests[0]!.handler.reset!.code).toBe(ErrorCode.protocolError);
  });

  test('ends the connection when it is idle: there is nothing to reset', () => {
    const peer = server();
    peer.receive(frame(FrameType.priority, 0, 1, '0000000110'));
    expect(errorsOf(peer)).toEqual(['GOAWAY 0 PROTOCOL_ERROR']);
  });
});

describe('A server that drains', () => {
  const request = (id: number): Buffer => frame(FrameType.headers, 0x5, id, getBlock);

  test('serves what crossed with its first GOAWAY, names the last stream after a round trip, and refuses the rest', () => {
    const peer = server();
    peer.receive(request(1));
    peer.connection.drain();
    const frames = framesOf(peer.take());
    expect(frames.map(({ type }) => type)).toEqual([FrameType.goaway, FrameType.ping]);
    expect(frames[0]!.payload.readUInt32BE(0)).toBe(0x7fffffff);
    peer.receive(request(3));
    expect(peer.requests.length).toBe(2);
    peer.receive(pingAck(frames[1]!.payload));
    expect(linesOf(peer.take())).toEqual(['GOAWAY 3 NO_ERROR']);
    peer.receive(frame(FrameType.headers, 0x4, 5, getBlock));
    peer.receive(frame(FrameType.data, 0x1, 5, '00'));
    expect(linesOf(peer.take())).toEqual(['RST 5 REFUSED_STREAM']);
    expect(peer.requests.length).toBe(2);
    expect(peer.connection.isFinished).toBe(false);
    for (const { stream } of peer.requests) stream.sendHeaders(ok, true);
    expect(peer.connection.isFinished).toBe(true);
  });

  test('is not finished before the round trip, even without a stream', () => {
    const peer = server();
    peer.connection.drain();
    peer.take();
    expect(peer.connection.isFinished).toBe(false);
    peer.receive(pingAck(Buffer.alloc(8)));
    expect(linesOf(peer.take())).toEqual(['GOAWAY 0 NO_ERROR']);
    expect(peer.connection.isFinished).toBe(true);
  });

  test('waits a second for the ack, and goes on once', () => {
    const peer = server();
    peer.receive(request(1));
    peer.connection.drain();
    peer.connection.onTick(500);
    peer.connection.onTick(1499);
    expect(linesOf(peer.take())).toEqual(['GOAWAY 2147483647 NO_ERROR', 'PING']);
    peer.connection.onTick(1500);
    peer.connection.onTick(9000);
    peer.connection.drain();
    peer.receive(pingAck(Buffer.alloc(8)));
    expect(linesOf(peer.take())).toEqual(['GOAWAY 1 NO_ERROR']);
  });

  test('never names a later stream than before when the peer then breaks the protocol', () => {
    const peer = server();
    peer.receive(request(1));
    peer.connection.drain();
    peer.receive(pingAck(Buffer.alloc(8)));
    peer.take();
    peer.receive(request(3));
    peer.receive(frame(FrameType.data, 0, 0, '00'));
    expect(errorsOf(peer)).toEqual(['RST 3 REFUSED_STREAM', 'GOAWAY 1 PROTOCOL_ERROR']);
  });
});

describe('A server that wants no more of a request', () => {
  test('lets the queued answer out before it says so', () => {
    const [client, peer] = [new Peer(false), new Peer(true)];
    settle(client, peer);
    client.receive(frame(FrameType.settings, 0, 0, '000400000000'));
    peer.receive(frame(FrameType.settings, 0, 0, '000400000000'));
    peer.take();
    peer.receive(frame(FrameType.headers, 0x4, 1, getBlock));
    const { stream } = peer.requests[0]!;
    stream.sendHeaders(ok, false);
    stream.sendData(Buffer.alloc(5), 0, 5, true);
    stream.reset(ErrorCode.noError);
    expect(linesOf(peer.take())).toEqual(['HEADERS 1']);
    peer.receive(frame(FrameType.windowUpdate, 0, 1, '00000005'));
    expect(linesOf(peer.take())).toEqual(['DATA 1 5 END', 'RST 1 NO_ERROR']);
    expect(peer.connection.streamCount).toBe(0);
  });
});

describe('A server', () => {
  test('offers extended CONNECT and takes it', () => {
    const [settings] = framesOf(new Peer(true).take());
    expect(settings!.payload.toString('hex')).toContain('000800000001');
    const peer = server();
    // CONNECT, http, :path /, :authority a, :protocol x
    peer.receive(frame(FrameType.headers, 0x4, 1, `0207434f4e4e454354868441016100093a70726f746f636f6c0178`));
    expect(errorsOf(peer)).toEqual([]);
    expect(peer.requests[0]!.head.protocol).toBe('x');
  });
});
