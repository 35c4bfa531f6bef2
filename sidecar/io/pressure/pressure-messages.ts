/**
 * The messages of proto/weir/v1/pressure.proto on the wire: few, small and flat, so they are read and written here
 * instead of by a library that the sidecar would have to load for them.
 */
import { deliveryCreditMax } from '../../admission/delivery-credit.ts';
import type { PressureReading } from './pressure-control.ts';

/** A signal takes 6 bytes; what a newer app may add to it, some more. */
export const signalBytesMax = 64;
export const messageHeadBytes = 5;

export type Signal = { readonly kind: 'pause' | 'resume' } | { readonly kind: 'more'; readonly count: number };

const states = { open: 0, paused: 1, pulling: 2 } as const;

/** null when it is not a signal, or one that is not known. Of several the last counts, as protobuf has it. */
export function readSignal(bytes: Uint8Array): Signal | null {
  let found: Signal | null = null;
  const reader = new Reader(bytes);
  while (!reader.isDone) {
    const key = reader.varint();
    if (key === null) return null;
    const field = key >>> 3;
    if ((key & 7) !== 0) {
      if (!reader.skip(key & 7)) return null;
      continue;
    }
    const value = reader.varint();
    if (value === null) return null;
    if (field === 1) found = { kind: 'pause' };
    else if (field === 2) found = { kind: 'resume' };
    else if (field === 3) found = value < 1 ? null : { kind: 'more', count: Math.min(deliveryCreditMax, value) };
  }
  return found;
}

/** With the five bytes that gRPC puts before a message. */
export function writeStatus({ state, remaining, inFlight, queued }: PressureReading): Buffer {
  const body: number[] = [];
  const fields = [states[state], remaining ?? 0, inFlight, queued];
  for (const [i, value] of fields.entries()) {
    // Zero is what is not said.
    if (value > 0) writeVarint(body, (i + 1) << 3, value);
  }
  return Buffer.from([0, 0, 0, 0, body.length, ...body]);
}

function writeVarint(out: number[], key: number, value: number): void {
  out.push(key);
  let rest = value;
  while (rest >= 0x80) {
    out.push((rest & 0x7f) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  out.push(rest);
}

class Reader {
  private readonly bytes: Uint8Array;
  private at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get isDone(): boolean {
    return this.at >= this.bytes.length;
  }

  /** null when it ends in the middle, or is longer than ten bytes. */
  varint(): number | null {
    let value = 0;
    for (let factor = 1, i = 0; i < 10; factor *= 128, i++) {
      if (this.isDone) return null;
      const byte = this.bytes[this.at++]!;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
    return null;
  }

  /** A field of that wire type; false when there is none. */
  skip(type: number): boolean {
    if (type === 2) {
      const length = this.varint();
      if (length === null) return false;
      this.at += length;
    } else if (type === 1) this.at += 8;
    else if (type === 5) this.at += 4;
    else return false;
    return this.at <= this.bytes.length;
  }
}
