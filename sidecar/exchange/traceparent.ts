/**
 * The trace id of a W3C `traceparent` (`00-<32 hex>-<16 hex>-<2 hex>`), as four numbers and without a string of its own:
 * it is read for every request of a policy with priorities.
 */

const traceBegins = 3;
const traceDigits = 32;
/** Up to the end of version 00; later versions may add to it (Trace Context §3.3). */
const lengthMin = 55;
const dash = 0x2d;

/** The id that was read last. */
export class TraceId {
  readonly words = new Int32Array(4);

  /** False when there is none: absent, malformed, or all zero. */
  read(traceparent: string | undefined): boolean {
    if (traceparent === undefined || traceparent.length < lengthMin) return false;
    if (traceparent.charCodeAt(2) !== dash || traceparent.charCodeAt(traceBegins + traceDigits) !== dash) return false;
    let any = 0;
    for (let word = 0; word < 4; word++) {
      let value = 0;
      for (let i = 0; i < 8; i++) {
        const digit = hexDigit(traceparent.charCodeAt(traceBegins + 8 * word + i));
        if (digit < 0) return false;
        value = (value << 4) | digit;
      }
      this.words[word] = value;
      any |= value;
    }
    return any !== 0;
  }
}

/** Lower case only (§3.2.2). */
function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  return code >= 0x61 && code <= 0x66 ? code - 0x57 : -1;
}
