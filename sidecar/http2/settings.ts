/**
 * SETTINGS as values (RFC 9113 §6.5): what a peer announced, checked entry by entry.
 */
import { defaultFrameBytesMax, defaultWindowBytes, ErrorCode, SettingId, windowBytesMax } from './constants.ts';

export interface PeerSettings {
  headerTableBytes: number;
  enablePush: boolean;
  concurrentStreamsMax: number;
  initialWindowBytes: number;
  frameBytesMax: number;
  headerListBytesMax: number;
  /** The peer takes extended CONNECT (RFC 8441 §3). */
  connectProtocolEnabled: boolean;
  /** The peer says that it is a sidecar like us. */
  isWeir: boolean;
}

export function initialPeerSettings(): PeerSettings {
  return {
    headerTableBytes: 4096,
    enablePush: true,
    concurrentStreamsMax: Number.POSITIVE_INFINITY,
    initialWindowBytes: defaultWindowBytes,
    frameBytesMax: defaultFrameBytesMax,
    headerListBytesMax: Number.POSITIVE_INFINITY,
    connectProtocolEnabled: false,
    isWeir: false,
  };
}

/** Applies one entry; returns 0 or the code of the connection error that it is. Unknown settings are ignored (§6.5.2). */
export function applySetting(settings: PeerSettings, id: number, value: number): number {
  switch (id) {
    case SettingId.headerTableSize:
      settings.headerTableBytes = value;
      return 0;
    case SettingId.enablePush:
      if (value > 1) return ErrorCode.protocolError;
      settings.enablePush = value === 1;
      return 0;
    case SettingId.maxConcurrentStreams:
      settings.concurrentStreamsMax = value;
      return 0;
    case SettingId.initialWindowSize:
      if (value > windowBytesMax) return ErrorCode.flowControlError;
      settings.initialWindowBytes = value;
      return 0;
    case SettingId.maxFrameSize:
      if (value < defaultFrameBytesMax || value > 0xffffff) return ErrorCode.protocolError;
      settings.frameBytesMax = value;
      return 0;
    case SettingId.maxHeaderListSize:
      settings.headerListBytesMax = value;
      return 0;
    case SettingId.enableConnectProtocol:
      // Once given it cannot be taken back.
      if (value > 1 || (value === 0 && settings.connectProtocolEnabled)) return ErrorCode.protocolError;
      settings.connectProtocolEnabled = value === 1;
      return 0;
    case SettingId.weirPeer:
      settings.isWeir = value > 0;
      return 0;
    default:
      return 0;
  }
}
