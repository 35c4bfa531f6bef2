/**
 * The bounds that a peer can run into, as small integers that index typed-array counters: the name is the metric's label
 * (`weir_http2_limit_total{limit="…"}`), the code and the sentence are what the peer gets where the bound is the end of
 * its connection.
 */
import { ErrorCode } from './constants.ts';

interface LimitRow {
  readonly name: string;
  readonly code: number;
  readonly detail: string;
}

const row = (name: string, detail: string, code: number = ErrorCode.enhanceYourCalm): LimitRow => ({
  name,
  code,
  detail,
});

const rows: readonly LimitRow[] = [
  row('none', ''),
  row('concurrent_streams', 'too many streams at a time', ErrorCode.refusedStream),
  row('output_bytes', 'too much output unread', ErrorCode.refusedStream),
  row('header_list', 'header list too large'),
  row('header_list_far', 'header list far too large'),
  row('header_block', 'header block too large'),
  row('headers_timeout', 'header block or frame not finished in time'),
  row('preface_timeout', 'no SETTINGS in time', ErrorCode.settingsTimeout),
  row('settings_ack_timeout', 'SETTINGS not acknowledged in time', ErrorCode.settingsTimeout),
  row('control_frames', 'too many control frames unread'),
  row('settings_rate', 'too many SETTINGS frames'),
  row('settings_entries', 'too many settings in a frame'),
  row('ping_rate', 'too many PING frames'),
  row('window_updates', 'too many WINDOW_UPDATE frames'),
  row('priorities', 'too many PRIORITY frames'),
  row('empty_data', 'too many empty DATA frames'),
  row('glitches', 'too many oddities'),
  row('glitches_warning', 'many oddities', ErrorCode.noError),
  row('resets', 'too many streams reset early'),
  row('informational_heads', 'too many informational heads'),
];

export const Limit = {
  none: 0,
  concurrentStreams: 1,
  outputBytes: 2,
  headerList: 3,
  headerListFar: 4,
  headerBlock: 5,
  headersTimeout: 6,
  prefaceTimeout: 7,
  settingsAckTimeout: 8,
  controlFrames: 9,
  settingsRate: 10,
  settingsEntries: 11,
  pingRate: 12,
  windowUpdates: 13,
  priorities: 14,
  emptyData: 15,
  glitches: 16,
  glitchesWarning: 17,
  resets: 18,
  informationalHeads: 19,
} as const;

export const limitCount = rows.length;

export function limitName(limit: number): string {
  return rows[limit]?.name ?? 'unknown';
}

/** The error code that a peer beyond this bound gets. */
export function limitErrorCode(limit: number): number {
  return rows[limit]?.code ?? ErrorCode.enhanceYourCalm;
}

export function limitDetail(limit: number): string {
  return rows[limit]?.detail ?? '';
}
