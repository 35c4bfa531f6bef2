/**
 * What each side says first (RFC 9113 §3.4): the client its preface, and both their SETTINGS.
 */
import { prefaceBytes, SettingId } from './constants.ts';
import { writeSettings } from './frame-writer.ts';
import type { ConnectionLimits } from './limits.ts';
import type { Output } from './output.ts';

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
  if (isServer) settings.push([SettingId.maxConcurrentStreams, limits.concurrentStreamsMax]);
  else settings.push([SettingId.enablePush, 0]);
  writeSettings(output, settings);
}

/** How many bytes of the preface are there, with buf[start, end) behind `matched` ones; -1 when it is something else. */
export function matchPreface(buf: Buffer, start: number, end: number, matched: number): number {
  const count = Math.min(end - start, prefaceBytes.length - matched);
  for (let i = 0; i < count; i++) {
    if (buf[start + i] !== prefaceBytes[matched + i]) return -1;
  }
  return matched + count;
}
