/**
 * What each side says first (RFC 9113 §3.4): the client its preface, and both their SETTINGS.
 */
import { prefaceBytes, SettingId } from './constants.ts';
import { writeSettings } from './frame-writer.ts';
import type { ConnectionLimits } from './limits.ts';
import type { Output } from './output.ts';

/** RFC 9113 §6.5.2: what the peer assumes until it is told. */
const initialTableBytes = 4096;

export function writeGreeting(
  output: Output,
  isServer: boolean,
  limits: ConnectionLimits,
  initialWindowBytes: number,
): void {
  if (!isServer) {
    const out = output.reserve(prefaceBytes.length);
    out.set(prefaceBytes, output.position);
    output.position += prefaceBytes.length;
  }
  const settings: [number, number][] = [
    [SettingId.initialWindowSize, initialWindowBytes],
    [SettingId.maxHeaderListSize, limits.headerListBytesMax],
  ];
  if (limits.decoderTableBytesMax !== initialTableBytes) {
    settings.push([SettingId.headerTableSize, limits.decoderTableBytesMax]);
  }
  if (isServer) {
    settings.push([SettingId.maxConcurrentStreams, limits.concurrentStreamsMax], [SettingId.enableConnectProtocol, 1]);
  } else settings.push([SettingId.enablePush, 0], [SettingId.weirPeer, 1]);
  writeSettings(output, settings);
}

/** What of the client's preface a server has seen. */
export class PrefaceReader {
  private matched: number;

  constructor(isServer: boolean) {
    this.matched = isServer ? 0 : prefaceBytes.length;
  }

  /** Where in buf[start, end) the preface ends, or the bytes do; -1 when they are something else. */
  skip(buf: Buffer, start: number, end: number): number {
    let pos = start;
    while (this.matched < prefaceBytes.length && pos < end) {
      if (buf[pos] !== prefaceBytes[this.matched]) return -1;
      this.matched++;
      pos++;
    }
    return pos;
  }
}
