/**
 * The engine as a server, against a client that bends the rules: what of it is a stream error, what ends the connection.
 */
import { describe, expect, test } from 'vitest';
import { ErrorCode, FrameType, prefaceBytes } from '../../../sidecar/http2/constants.ts';
import { frame, framesOf, Peer } from '../../support/wire.ts';

/** GET / by the static table only. */
const getBlock = '828684410161';

function server(): Peer {
  const peer = new Peer(true);
  peer.receive(Buffer.concat([Buffer.from(prefaceBytes), frame(FrameType.settings, 0, 0)]));
  peer.take();
  return peer;
}

/** The errors an engine wrote: `RST id code`, `GOAWAY code`. */
function errorsOf(peer: Peer): string[] {
  return framesOf(peer.take()).flatMap(({ type, streamId, payload }) => {
    if (type === FrameType.rstStream) return [`RST ${streamId} ${payload.readUInt32BE(0)}`];
    return type === FrameType.goaway ? [`GOAWAY ${payload.readUInt32BE(4)}`] : [];
  });
}

describe('A stream that depends on itself', () => {
  test('is reset when its HEADERS say so, and its fields still enter the table', () => {
    const peer = server();
    // 0x40: `x: y` with incremental indexing.
    peer.receive(frame(FrameType.headers, 0x25, 1, `0000000110${getBlock}4001780179`));
    expect(errorsOf(peer)).toEqual([`RST 1 ${ErrorCode.protocolError}`]);
    expect(peer.requests).toEqual([]);
    peer.receive(frame(FrameType.headers, 0x05, 3, `${getBlock}bf`));
    expect(peer.requests[0]!.head.get('x')).toBe('y');
  });

  test('is reset when PRIORITY says so while it is open', () => {
    const peer = server();
    peer.receive(frame(FrameType.headers, 0x04, 1, getBlock));
    peer.receive(frame(FrameType.priority, 0, 1, '8000000110'));
    expect(errorsOf(peer)).toEqual([`RST 1 ${ErrorCode.protocolError}`]);
    expect(peer.requests[0]!.handler.reset!.code).toBe(ErrorCode.protocolError);
  });

  test('ends the connection when it is idle: there is nothing to reset', () => {
    const peer = server();
    peer.receive(frame(FrameType.priority, 0, 1, '0000000110'));
    expect(errorsOf(peer)).toEqual([`GOAWAY ${ErrorCode.protocolError}`]);
  });
});
