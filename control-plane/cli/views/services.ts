/** `get services`, and the first screen of `weir`: one line a service, the one that needs attention first. */
import type { ServiceRow } from '../api-guards.ts';
import { age, count, milliseconds, percent, rate, unknown } from '../numbers.ts';
import type { Cell, Table } from '../table.ts';
import { breakerCell, rejectedCell } from './traffic-cells.ts';

export const serviceKeyOf = (view: ServiceRow): string => `${view.namespace}/${view.service}`;

export function servicesTable(services: readonly ServiceRow[], wide: boolean): Table {
  const columns = ['SERVICE', 'LIVE', 'POLICY', 'RPS', 'SUCCESS', 'P99', 'REJECTED/S', 'BREAKER'];
  const wideColumns = ['P50', 'IN-FLIGHT', 'QUEUE', 'CALLERS', 'TARGETS', 'EVIDENCE'];
  return {
    columns: wide ? [...columns, ...wideColumns] : columns,
    rows: services.map((view) => (wide ? [...cells(view), ...wideCells(view)] : cells(view))),
  };
}

function cells(view: ServiceRow): Cell[] {
  const { inbound, breaker } = view;
  const success = inbound.successRatio;
  return [
    { text: serviceKeyOf(view), style: 'bold' },
    liveCell(view),
    policyCell(view),
    rate(inbound.requestsPerSecond),
    { text: percent(success), style: success !== null && success < 0.99 ? 'red' : 'plain' },
    milliseconds(inbound.p99Ms),
    rejectedCell(inbound),
    breakerCell(breaker.state, breaker.state === 'closed' ? '' : age(breaker.ageMs)),
  ];
}

function wideCells(view: ServiceRow): Cell[] {
  const { inbound } = view;
  return [
    milliseconds(inbound.p50Ms),
    `${count(inbound.inFlight)}/${inbound.concurrencyLimit === null ? '∞' : count(inbound.concurrencyLimit)}`,
    count(inbound.queueDepth),
    view.callers.join(',') || unknown,
    view.targets.join(',') || unknown,
    view.breaker.evidence || unknown,
  ];
}

function liveCell({ live, stale, draining }: ServiceRow): Cell {
  const extra = [stale > 0 ? `${stale} stale` : '', draining > 0 ? `${draining} draining` : ''].filter(Boolean);
  const text = extra.length > 0 ? `${live} (${extra.join(', ')})` : String(live);
  return { text, style: stale > 0 || live === 0 ? 'yellow' : 'plain' };
}

/** "v3 on 8/8": who has the policy is what operators ask first. */
function policyCell({ policy }: ServiceRow): Cell {
  if (policy.version === null) return unknown;
  const text = `v${policy.version} on ${policy.applied}/${policy.expected}`;
  if (policy.rejected.length > 0) return { text: `${text}, ${policy.rejected.length} rejected`, style: 'red' };
  return { text, style: policy.applied < policy.expected ? 'yellow' : 'plain' };
}
