/**
 * What one connection may cost. Every entry bounds something that a stranger can make grow; the values are the
 * defaults of the sidecar.
 */
export interface ConnectionLimits {
  readonly concurrentStreamsMax: number;
  /** Credit for content that the whole connection may have outstanding or undrained. */
  readonly connectionWindowBytes: number;
  readonly headerListBytesMax: number;
  readonly headerFieldsMax: number;
  readonly headerFieldBytesMax: number;
  /** Control frames (acks, resets, updates) that may wait for the socket; past it the peer does not read. */
  readonly controlFramesMax: number;
}

export const defaultLimits: ConnectionLimits = {
  concurrentStreamsMax: 250,
  connectionWindowBytes: 4 * 1024 * 1024,
  headerListBytesMax: 65_536,
  headerFieldsMax: 256,
  headerFieldBytesMax: 16_384,
  controlFramesMax: 1000,
};

/** Streams opened on one upstream connection at a time, if the peer allows that many. */
export const upstreamStreamsMax = 100;

/** Upstream connections retire when this share of the stream ids is used up. */
export const retireAtStreamId = Math.floor(0x7fffffff * 0.75);
