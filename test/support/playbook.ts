/**
 * Conversations with one engine, written as bytes: what a peer of either role sends, right or wrong, and what the engine
 * answers, as short lines: `RST 1 PROTOCOL_ERROR`, `GOAWAY 0 PROTOCOL_ERROR`, `HEADERS 3`.
 */
import { errorName, Flag, FrameType, prefaceBytes } from '../../sidecar/http2/constants.ts';
import { HeaderList } from '../../sidecar/http2/hpack/field.ts';
import { defaultLimits } from '../../sidecar/http2/limits.ts';
import { frame, framesOf, Peer } from './wire.ts';

export const settingsFrame = frame(FrameType.settings, 0, 0);

export const get = HeaderList.of([
  [':method', 'GET'],
  [':scheme', 'http'],
  [':authority', 'a'],
  [':path', '/'],
]);
export const post = get.with({ set: [[':method', 'POST']] });

/** A server that has seen the preface and the client's SETTINGS. */
export function greetedServer(limits = defaultLimits): Peer {
  const peer = new Peer(true, limits);
  peer.receive(Buffer.concat([Buffer.from(prefaceBytes), settingsFrame]));
  peer.take();
  return peer;
}

/** A client that has seen the server's SETTINGS. */
export function greetedClient(): Peer {
  const peer = new Peer(false);
  peer.receive(settingsFrame);
  peer.take();
  return peer;
}

const typeNames = Object.keys(FrameType).map((name) => name.replace(/[A-Z]/g, '_$&').toUpperCase());

/** What the engine wrote, a line a frame. */
export function linesOf(bytes: Buffer): string[] {
  return framesOf(bytes).map(({ type, flags, streamId, payload }) => {
    switch (type) {
      case FrameType.rstStream:
        return `RST ${streamId} ${errorName(payload.readUInt32BE(0))}`;
      case FrameType.goaway:
        return `GOAWAY ${payload.readUInt32BE(0)} ${errorName(payload.readUInt32BE(4))}`;
      case FrameType.windowUpdate:
        return `WINDOW_UPDATE ${streamId} ${payload.readUInt32BE(0)}`;
      case FrameType.settings:
      case FrameType.ping:
        return `${typeNames[type]}${(flags & Flag.ack) === 0 ? '' : ' ACK'}`;
      case FrameType.data:
        return `DATA ${streamId} ${payload.length}${(flags & Flag.endStream) === 0 ? '' : ' END'}`;
      default:
        return `${typeNames[type]} ${streamId}${(flags & Flag.endStream) === 0 ? '' : ' END'}`;
    }
  });
}

/** The lines that say something is wrong. */
export function errorsOf(peer: Peer): string[] {
  return linesOf(peer.take()).filter((line) => line.startsWith('RST') || line.startsWith('GOAWAY'));
}
