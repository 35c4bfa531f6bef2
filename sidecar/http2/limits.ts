/**
 * What one connection may cost. Every entry bounds something that a stranger can make grow or a loop that a stranger can
 * make run; one table gives the name, the default and the range, so that the settings (`--limit <name>=<value>`), their
 * errors and the engine cannot disagree. The frame size is not among them: 16,384 is the least the RFC allows, and more
 * only lengthens what one stream does to the others.
 */
interface LimitSpec {
  readonly default: number;
  readonly min: number;
  readonly max: number;
  readonly what: string;
}

const spec = (byDefault: number, min: number, max: number, what: string): LimitSpec => ({
  default: byDefault,
  min,
  max,
  what,
});

const mib = 1024 * 1024;
const hourMs = 3_600_000;

export const limitSpecs = {
  concurrentStreamsMax: spec(250, 1, 100_000, 'streams that a caller may have open on a connection'),
  upstreamStreamsMax: spec(100, 1, 100_000, 'streams opened on an upstream connection, if its peer allows that many'),
  connectionWindowBytes: spec(4 * mib, 65_535, 0x7fffffff, 'content a connection may have outstanding'),
  streamWindowBytes: spec(65_535, 16_384, 16 * mib, 'content a new stream may have outstanding or undrained'),
  streamWindowBytesMax: spec(mib, 16_384, 64 * mib, 'what a window may grow to while its stream is drained'),
  windowGrowthBytesMax: spec(4 * mib, 0, 1024 * mib, 'by which the windows of a connection may have grown together'),

  headerListBytesMax: spec(65_536, 4096, mib, 'a header list, 32 bytes a field included; over 4 times that: close'),
  headerFieldsMax: spec(256, 16, 10_000, 'fields of a header list, cookie crumbs included'),
  headerFieldBytesMax: spec(16_384, 256, mib, 'name and value of one field'),
  decoderTableBytesMax: spec(4096, 4096, 65_536, "HPACK table of the peer's encoder, which we keep"),
  encoderTableBytesMax: spec(4096, 0, 4096, 'HPACK table of our encoder, if the peer allows that much'),
  headerBlockBytesMax: spec(65_536, 16_384, mib, 'a header block as it is sent'),
  continuationFramesMax: spec(8, 0, 1000, 'CONTINUATION frames of one header block'),
  informationalHeadsMax: spec(32, 1, 10_000, 'informational (1xx) heads before the final one: no window bounds them'),
  headersTimeoutMs: spec(10_000, 100, hourMs, 'from the begin of a header block or control frame to its end'),

  prefaceTimeoutMs: spec(10_000, 100, hourMs, "until the peer's first SETTINGS"),
  settingsAckTimeoutMs: spec(10_000, 100, hourMs, 'until our SETTINGS are acknowledged'),

  /** Acks, resets and updates that wait for the socket: past it the peer does not read what it makes us say. */
  controlFramesMax: spec(1000, 16, 1_000_000, 'control frames (PING acks among them) that wait for a busy socket'),
  outputBytesMax: spec(mib, 65_536, 1024 * mib, 'output waiting for the socket before new streams are refused'),

  settingsPerSecond: spec(10, 1, 100_000, 'SETTINGS frames'),
  settingsBurst: spec(50, 1, 100_000, 'SETTINGS frames at once'),
  settingsEntriesMax: spec(32, 6, 2730, 'entries of a SETTINGS frame'),
  pingsPerSecond: spec(100, 1, 1_000_000, 'PING frames, and one for each DATA frame sent'),
  windowUpdatesPerDataFrame: spec(10, 1, 10_000, 'n in 5 + 2 * (streams + n * DATA sent) WINDOW_UPDATE frames'),
  prioritiesPerStream: spec(100, 1, 10_000, 'n in n * (1 + streams) PRIORITY frames'),
  emptyDataFramesMax: spec(100, 1, 100_000, 'empty DATA frames without END_STREAM, more than there were with content'),

  glitchesMax: spec(10_000, 10, 10_000_000, 'tolerated oddities; a GOAWAY at 75 %, the end at 100 %'),
  glitchesPerSecond: spec(330, 1, 1_000_000, 'oddities that are forgotten again'),
  resetWindowStreams: spec(1000, 10, 100_000, 'streams that the share of resets is taken over'),
  resetSharePercentMax: spec(50, 1, 100, 'share of them that may be reset early and unanswered'),
  resetWithinMs: spec(1000, 1, hourMs, 'how soon after its opening a reset counts as early'),
  deadlineCancelsPerSecond: spec(10_000, 1, 10_000_000, 'early resets that a passed deadline excuses'),
} as const satisfies Readonly<Record<string, LimitSpec>>;

export type LimitName = keyof typeof limitSpecs;

export type ConnectionLimits = { readonly [Name in LimitName]: number };

const names = Object.keys(limitSpecs).filter(isLimitName);

export const defaultLimits: ConnectionLimits = limitsWith(new Map());

/** Upstream connections retire when this share of the stream ids is used up. */
export const retireAtStreamId = Math.floor(0x7fffffff * 0.75);

export interface ParsedLimits {
  readonly limits: ConnectionLimits;
  readonly errors: readonly string[];
}

/** From entries `name=value`; every error at once, each with the value and the allowed range. */
export function parseLimits(entries: readonly string[]): ParsedLimits {
  const errors: string[] = [];
  const given = new Map<LimitName, number>();
  for (const entry of entries) {
    const at = entry.indexOf('=');
    const name = entry.slice(0, at);
    if (!isLimitName(name)) {
      errors.push(`limit "${name}" does not exist; there are ${names.join(', ')}`);
      continue;
    }
    if (given.has(name)) errors.push(`limit ${name} is given twice`);
    const { min, max, what } = limitSpecs[name];
    const value = /^[0-9]{1,10}$/.test(entry.slice(at + 1)) ? Number(entry.slice(at + 1)) : -1;
    if (value >= min && value <= max) given.set(name, value);
    else errors.push(`limit ${entry}: not an integer from ${min} to ${max} (${what})`);
  }
  return { limits: limitsWith(given), errors };
}

function isLimitName(name: string): name is LimitName {
  return Object.hasOwn(limitSpecs, name);
}

/** Written out once, so that every set of limits has the same shape. */
function limitsWith(given: ReadonlyMap<LimitName, number>): ConnectionLimits {
  const of = (name: LimitName): number => given.get(name) ?? limitSpecs[name].default;
  return {
    concurrentStreamsMax: of('concurrentStreamsMax'),
    upstreamStreamsMax: of('upstreamStreamsMax'),
    connectionWindowBytes: of('connectionWindowBytes'),
    streamWindowBytes: of('streamWindowBytes'),
    streamWindowBytesMax: of('streamWindowBytesMax'),
    windowGrowthBytesMax: of('windowGrowthBytesMax'),
    headerListBytesMax: of('headerListBytesMax'),
    headerFieldsMax: of('headerFieldsMax'),
    headerFieldBytesMax: of('headerFieldBytesMax'),
    decoderTableBytesMax: of('decoderTableBytesMax'),
    encoderTableBytesMax: of('encoderTableBytesMax'),
    headerBlockBytesMax: of('headerBlockBytesMax'),
    continuationFramesMax: of('continuationFramesMax'),
    informationalHeadsMax: of('informationalHeadsMax'),
    headersTimeoutMs: of('headersTimeoutMs'),
    prefaceTimeoutMs: of('prefaceTimeoutMs'),
    settingsAckTimeoutMs: of('settingsAckTimeoutMs'),
    controlFramesMax: of('controlFramesMax'),
    outputBytesMax: of('outputBytesMax'),
    settingsPerSecond: of('settingsPerSecond'),
    settingsBurst: of('settingsBurst'),
    settingsEntriesMax: of('settingsEntriesMax'),
    pingsPerSecond: of('pingsPerSecond'),
    windowUpdatesPerDataFrame: of('windowUpdatesPerDataFrame'),
    prioritiesPerStream: of('prioritiesPerStream'),
    emptyDataFramesMax: of('emptyDataFramesMax'),
    glitchesMax: of('glitchesMax'),
    glitchesPerSecond: of('glitchesPerSecond'),
    resetWindowStreams: of('resetWindowStreams'),
    resetSharePercentMax: of('resetSharePercentMax'),
    resetWithinMs: of('resetWithinMs'),
    deadlineCancelsPerSecond: of('deadlineCancelsPerSecond'),
  };
}
