/**
 * The numbers of RFC 9113: frame types (§6), flags, settings (§6.5.2), error codes (§7), the client's preface (§3.4).
 * `as const` objects rather than enums, so that they are erased and inlined.
 */

export const FrameType = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const Flag = {
  /** DATA, HEADERS. */
  endStream: 0x1,
  /** SETTINGS, PING. */
  ack: 0x1,
  /** HEADERS, CONTINUATION. */
  endHeaders: 0x4,
  /** DATA, HEADERS. */
  padded: 0x8,
  /** HEADERS. */
  priority: 0x20,
} as const;

export const SettingId = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
  /** RFC 8441 §3. */
  enableConnectProtocol: 8,
  /**
   * Ours, of those for experiments (RFC 7540 §11.3): a client that sends it is a sidecar of Weir. Others ignore it, as they
   * have to ignore whatever they do not know (RFC 9113 §6.5.2). It proves nothing, and gives nobody anything.
   */
  weirPeer: 0xf3e1,
} as const;

export const ErrorCode = {
  noError: 0,
  protocolError: 1,
  internalError: 2,
  flowControlError: 3,
  settingsTimeout: 4,
  streamClosed: 5,
  frameSizeError: 6,
  refusedStream: 7,
  cancel: 8,
  compressionError: 9,
  connectError: 10,
  enhanceYourCalm: 11,
  inadequateSecurity: 12,
  http11Required: 13,
} as const;

const errorNames = Object.entries(ErrorCode).map(([name]) => name.replace(/[A-Z]/g, '_$&').toUpperCase());

/** `PROTOCOL_ERROR` for 1; unknown codes as a number, since RFC 9113 §7 lets peers use any. */
export function errorName(code: number): string {
  return errorNames[code] ?? `0x${code.toString(16)}`;
}

export const frameHeaderBytes = 9;

/** §6.9.1: windows never pass 2^31 - 1. */
export const windowBytesMax = 0x7fffffff;

/** §6.9.2: what every window is before anything was said. */
export const defaultWindowBytes = 65_535;

/** §4.2: the smallest and the default SETTINGS_MAX_FRAME_SIZE. */
export const defaultFrameBytesMax = 16_384;

export const streamIdMax = 0x7fffffff;

export const prefaceText = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
export const prefaceBytes: Uint8Array = Buffer.from(prefaceText, 'latin1');
