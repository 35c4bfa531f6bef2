/** Flow control from a spec to settings. */
import type { EffectiveFlowControl, EffectiveOverflow } from '../../proto/policy/defaults-flow-control.ts';
import type { PaceSpec } from '../../proto/policy/schema-flow-control.ts';
import type { FlowSettings, OverflowSettings, PaceSettings } from './compiled.ts';
import { bytes, milliseconds, perSecond } from './units.ts';

/**
 * In shadow nothing is slowed down; readers who would have lost their stream are counted, and messages that would have been
 * dropped. null = nothing to do.
 */
export function flowSettings(flow: EffectiveFlowControl | undefined, shadow: boolean): FlowSettings | null {
  if (flow === undefined) return null;
  const { windowMax, stallTimeout } = flow;
  const requestOverflow = overflowSettings(flow.requestOverflow);
  const responseOverflow = overflowSettings(flow.responseOverflow);
  const counts = stallTimeout !== undefined || requestOverflow !== null || responseOverflow !== null;
  if (shadow && !counts) return null;
  return {
    shadow,
    windowBytesMax: windowMax === undefined || shadow ? 0 : bytes(windowMax),
    stallTimeoutMs: milliseconds(stallTimeout),
    requestPace: shadow ? null : paceSettings(flow.requestPace),
    responsePace: shadow ? null : paceSettings(flow.responsePace),
    requestOverflow,
    responseOverflow,
  };
}

function overflowSettings(overflow: EffectiveOverflow | undefined): OverflowSettings | null {
  const room = overflow?.dropOldest ?? overflow?.dropNewest;
  if (overflow === undefined || room === undefined) return null;
  return {
    dropsOldest: overflow.dropOldest !== undefined,
    messagesMax: room.messagesMax,
    bytesMax: bytes(room.bytesMax),
  };
}

function paceSettings(pace: PaceSpec | undefined): PaceSettings | null {
  if (pace === undefined) return null;
  return {
    bytesPerSecond: pace.bytesPerSecond === undefined ? 0 : bytes(pace.bytesPerSecond),
    messagesPerSecond: pace.messages === undefined ? 0 : perSecond(pace.messages),
  };
}
