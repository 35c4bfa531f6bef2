/** Cells that several tables share. */
import type { BreakerStateName, TrafficView } from '../../../proto/api.ts';
import { rate } from '../numbers.ts';
import type { Style } from '../style.ts';
import type { Cell } from '../table.ts';

/** `12.4 rate_limit, 3.0 queue_full`: the most frequent reasons of refusal, per second. */
export function rejectedCell(
  traffic: Pick<TrafficView, 'rejectedPerSecond' | 'requestsPerSecond'>,
  reasonsMax = 2,
): Cell {
  const reasons = Object.entries(traffic.rejectedPerSecond)
    .filter(([, perSecond]) => perSecond > 0)
    .sort(([, a], [, b]) => b - a);
  if (reasons.length === 0) return traffic.requestsPerSecond === null ? '–' : '0';
  const shown = reasons.slice(0, reasonsMax).map(([reason, perSecond]) => `${rate(perSecond)} ${reason}`);
  const more = reasons.length > reasonsMax ? `, +${reasons.length - reasonsMax}` : '';
  return { text: shown.join(', ') + more, style: 'yellow' };
}

/** Colour, shape and word, so that no one of them has to be seen. */
export const breakerStyles: Readonly<Record<BreakerStateName, { shape: string; style: Style }>> = {
  closed: { shape: '●', style: 'green' },
  half_open: { shape: '◐', style: 'yellow' },
  open: { shape: '✕', style: 'red' },
  ramp: { shape: '◔', style: 'yellow' },
  forced_open: { shape: '⬒', style: 'red' },
  forced_closed: { shape: '⬒', style: 'yellow' },
};

export function breakerCell(state: BreakerStateName, detail = ''): Cell {
  const { shape, style } = breakerStyles[state];
  return { text: `${shape} ${state}${detail ? ` ${detail}` : ''}`, style };
}
