/** Flow control from a spec to settings. */
import type { FlowControlSpec, PaceSpec } from '../../proto/policy/schema-flow-control.ts';
import type { FlowSettings, PaceSettings } from './compiled.ts';
import { bytes, milliseconds, perSecond } from './units.ts';

/** Flow control slows down and refuses nothing, so in shadow there is nothing to count: it is off. */
export function flowSettings(flow: FlowControlSpec): FlowSettings {
  return {
    windowBytesMax: flow.windowMax === undefined ? 0 : bytes(flow.windowMax),
    stallTimeoutMs: milliseconds(flow.stallTimeout),
    requestPace: paceSettings(flow.requestPace),
    responsePace: paceSettings(flow.responsePace),
  };
}

function paceSettings(pace: PaceSpec | undefined): PaceSettings | null {
  if (pace === undefined) return null;
  return {
    bytesPerSecond: pace.bytesPerSecond === undefined ? 0 : bytes(pace.bytesPerSecond),
    messagesPerSecond: pace.messages === undefined ? 0 : perSecond(pace.messages),
  };
}
