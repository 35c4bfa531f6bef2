/** `get instances`: one line a sidecar, with what it runs on and which of its breakers are not closed. */
import type { InstanceRow } from '../api-guards.ts';
import { age, bytes, milliseconds, rate, unknown } from '../numbers.ts';
import type { Cell, Table } from '../table.ts';
import { rejectedCell } from './traffic-cells.ts';

export function instancesTable(instances: readonly InstanceRow[], wide: boolean): Table {
  const columns = ['SERVICE', 'INSTANCE', 'STATE', 'SEEN', 'POLICIES', 'RPS', 'P99', 'REJECTED/S', 'OPEN BREAKERS'];
  const wideColumns = ['ADDRESS', 'ZONE', 'VERSION', 'UPTIME', 'RSS', 'LOOP LAG', 'INCARNATION'];
  return {
    columns: wide ? [...columns, ...wideColumns] : columns,
    rows: instances.map((view) => (wide ? [...cells(view), ...wideCells(view)] : cells(view))),
  };
}

function cells(view: InstanceRow): Cell[] {
  return [
    `${view.namespace}/${view.service}`,
    { text: view.instance, style: 'bold' },
    { text: view.state, style: view.state === 'live' ? 'green' : 'yellow' },
    `${age(view.lastSeenMs)} ago`,
    policiesCell(view),
    rate(view.inbound.requestsPerSecond),
    milliseconds(view.inbound.p99Ms),
    rejectedCell(view.inbound),
    openBreakersCell(view),
  ];
}

function wideCells(view: InstanceRow): Cell[] {
  return [
    view.address || unknown,
    view.zone || unknown,
    view.version || unknown,
    age(view.uptimeMs),
    bytes(view.rssBytes),
    milliseconds(view.loopLagMs),
    view.incarnation,
  ];
}

function policiesCell({ policies }: InstanceRow): Cell {
  if (policies.length === 0) return unknown;
  const refused = policies.some(({ status }) => status === 'rejected');
  const text = policies.map(({ target, version, status }) => {
    return `${target} v${version}${status === 'applied' ? '' : ` ${status}`}`;
  });
  return { text: text.join(', '), style: refused ? 'red' : 'plain' };
}

function openBreakersCell({ breakers }: InstanceRow): Cell {
  const open = breakers.filter(({ local, fleet }) => local !== 'closed' || fleet !== 'closed');
  if (open.length === 0) return unknown;
  const text = open.map(({ target, local, fleet }) => `${target} ${local === 'closed' ? `${fleet} (fleet)` : local}`);
  return { text: text.join(', '), style: 'red' };
}
