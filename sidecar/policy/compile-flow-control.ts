/** Flow control from a spec to settings. */
import type { FlowControlSpec, PaceSpec } from '../../proto/policy/schema-flow-control.ts';
import type { FlowSettings, PaceSettings } from './compiled.ts';
import { bytes, milliseconds, perSecond } from './units.ts';

/** In shadow nothing is slowed down, and readers who would have lost their stream are counted; null = nothing to do. */
export function flowSettings(flow: FlowControlSpec, shadow: boolean): FlowSettings | null {
  if (shadow) return flow.stallTimeout === undefined ? null : watchOnly(milliseconds(flow.stallTimeout));
  return {
    shadow,
    windowBytesMax: flow.windowMax === undefined ? 0 : bytes(flow.windowMax),
    stallTimeoutMs: milliseconds(flow.stallTimeout),
    requestPace: paceSettings(flow.requestPace),
    responsePace: paceSettings(flow.responsePace),
  };
}

function watchOnly(stallTimeoutMs: number): FlowSettings {
  return { shadow: true, windowBytesMax: 0, stallTimeoutMs, requestPace: null, responsePace: null };
}

function paceSettings(pace: PaceSpec | undefined): PaceSettings | null {
  if (pace === undefined) return null;
  return {
    bytesPerSecond: pace.bytesPerSecond === undefined ? 0 : bytes(pace.bytesPerSecond),
    messagesPerSecond: pace.messages === undefined ? 0 : perSecond(pace.messages),
  };
}
