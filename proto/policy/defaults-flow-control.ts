/** Flow control with nothing left open. */
import { type FlowControlSpec, type OverflowSpec, overflowDefaults } from './schema-flow-control.ts';

export interface EffectiveRoom {
  messagesMax: number;
  bytesMax: string;
}

/** One of the two. */
export interface EffectiveOverflow {
  dropOldest?: EffectiveRoom;
  dropNewest?: EffectiveRoom;
}

export interface EffectiveFlowControl extends Omit<FlowControlSpec, 'requestOverflow' | 'responseOverflow'> {
  requestOverflow?: EffectiveOverflow;
  responseOverflow?: EffectiveOverflow;
}

export function flowControlWithDefaults(flow: FlowControlSpec): EffectiveFlowControl {
  const { requestOverflow, responseOverflow, ...rest } = flow;
  return {
    ...rest,
    ...(requestOverflow && { requestOverflow: overflowWithDefaults(requestOverflow) }),
    ...(responseOverflow && { responseOverflow: overflowWithDefaults(responseOverflow) }),
  };
}

function overflowWithDefaults({ dropOldest, dropNewest }: OverflowSpec): EffectiveOverflow {
  return {
    ...(dropOldest && { dropOldest: { ...overflowDefaults, ...dropOldest } }),
    ...(dropNewest && { dropNewest: { ...overflowDefaults, ...dropNewest } }),
  };
}
