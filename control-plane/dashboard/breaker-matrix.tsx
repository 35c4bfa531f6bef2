/**
 * Who may call whom: callers down, targets across, one breaker per crossing. A row opens to its instances, because
 * "open on 1 of 4" is a different trouble from "open". Choosing a cell shows the evidence: what tripped it, how
 * sure, local or fleet. Arrow keys move between cells as in a grid; Enter chooses.
 */
import { signal } from '@preact/signals';
import type { JSX, TargetedKeyboardEvent } from 'preact';
import type { BreakerCellView, FleetSnapshot } from '../../proto/api.ts';
import { BreakerMark, effective, legend, NoBreaker } from './breaker-mark.tsx';
import { Evidence } from './evidence.tsx';
import { age } from './format.ts';
import { snapshotAgeMs } from './live.ts';

const opened = signal<ReadonlySet<string>>(new Set());
const chosen = signal<{ readonly caller: string; readonly target: string } | null>(null);
const onlyTroubled = signal(false);

export function BreakerMatrix({ fleet }: { readonly fleet: FleetSnapshot }): JSX.Element {
  const cells = new Map(fleet.breakers.map((cell) => [`${cell.caller} ${cell.target}`, cell]));
  const targets = [...new Set(fleet.breakers.map(({ target }) => target))].sort();
  const allCallers = [...new Set(fleet.breakers.map(({ caller }) => caller))].sort();
  const callers = onlyTroubled.value
    ? allCallers.filter((caller) => fleet.breakers.some((cell) => cell.caller === caller && isTroubled(cell)))
    : allCallers;
  if (allCallers.length === 0) {
    return <p class="empty">No service has called another through Weir yet. A breaker appears with the first call.</p>;
  }
  const selected = chosen.value === null ? undefined : cells.get(`${chosen.value.caller} ${chosen.value.target}`);
  return (
    <>
      <div class="matrix-tools">
        <label>
          <input
            type="checkbox"
            checked={onlyTroubled.value}
            onChange={(event) => (onlyTroubled.value = event.currentTarget.checked)}
          />{' '}
          only where something is not closed
        </label>
        <span class="legend" aria-hidden="true">
          {legend.map((state) => (
            <span key={state}>
              <BreakerMark state={state} /> {state.replace('_', ' ').replace('forced open', 'forced')}
            </span>
          ))}
        </span>
      </div>
      <div class="scroll" tabIndex={-1}>
        <table class="matrix" onKeyDown={moveFocus}>
          <thead>
            <tr>
              <th scope="col">caller ↓ · target →</th>
              {targets.map((target) => (
                <th scope="col" key={target}>
                  {target}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {callers.map((caller) => (
              <Caller key={caller} caller={caller} targets={targets} cells={cells} />
            ))}
            {callers.length === 0 && (
              <tr>
                <td colSpan={targets.length + 1} class="dim">
                  every breaker is closed
                </td>
              </tr>
            )}
          </tbody>
        </table>
      </div>
      {selected && <Evidence cell={selected} fleet={fleet} onClose={() => (chosen.value = null)} />}
    </>
  );
}

interface CallerProps {
  readonly caller: string;
  readonly targets: readonly string[];
  readonly cells: ReadonlyMap<string, BreakerCellView>;
}

function Caller({ caller, targets, cells }: CallerProps): JSX.Element {
  const isOpen = opened.value.has(caller);
  const row = targets.map((target) => cells.get(`${caller} ${target}`));
  const instances = [...new Set(row.flatMap((cell) => cell?.instances.map(({ instance }) => instance) ?? []))].sort();
  return (
    <>
      <tr data-caller={caller}>
        <th scope="row">
          <button type="button" class="expand" aria-expanded={isOpen} onClick={() => toggle(caller)} data-cell>
            <span class="chevron" aria-hidden="true" />
            {caller} <span class="dim">×{instances.length}</span>
          </button>
        </th>
        {row.map((cell, column) => (
          <td key={targets[column]}>{cell ? <Cell cell={cell} /> : <NoBreaker />}</td>
        ))}
      </tr>
      {isOpen &&
        instances.map((instance) => (
          <tr class="instance" key={instance} data-instance={instance}>
            <th scope="row">{instance}</th>
            {row.map((cell, column) => (
              <td key={targets[column]}>
                <InstanceCell instance={cell?.instances.find((candidate) => candidate.instance === instance)} />
              </td>
            ))}
          </tr>
        ))}
    </>
  );
}

function Cell({ cell }: { readonly cell: BreakerCellView }): JSX.Element {
  const { caller, target, state } = cell;
  const isChosen = chosen.value?.caller === caller && chosen.value.target === target;
  const total = cell.instances.length;
  const inState = cell.counts[state] ?? 0;
  return (
    <button
      type="button"
      class="cell"
      data-cell
      data-target={target}
      aria-pressed={isChosen}
      aria-label={`${caller} to ${target}: ${state.replace('_', ' ')} on ${inState} of ${total}${cell.fleet ? ', by the fleet' : ''}; show why`}
      onClick={() => (chosen.value = isChosen ? null : { caller, target })}
    >
      <BreakerMark state={state} />
      {inState < total && (
        <span class="count">
          {inState}/{total}
        </span>
      )}
      {cell.fleet && <span class="tag">fleet</span>}
      <span class="dim">{age(cell.ageMs + snapshotAgeMs())}</span>
    </button>
  );
}

function InstanceCell({
  instance,
}: {
  readonly instance: BreakerCellView['instances'][number] | undefined;
}): JSX.Element {
  if (!instance) return <NoBreaker />;
  const state = effective(instance.local, instance.fleet);
  return (
    <span class="instance-cell" title={instance.cause}>
      <BreakerMark state={state} />
      {state !== 'closed' && <span class="tag">{state === instance.fleet ? 'fleet' : 'local'}</span>}
      <span class="dim">{age(instance.ageMs + snapshotAgeMs())}</span>
    </span>
  );
}

function isTroubled(cell: BreakerCellView): boolean {
  return cell.instances.some(({ local, fleet }) => local !== 'closed' || fleet !== 'closed');
}

function toggle(caller: string): void {
  const next = new Set(opened.value);
  if (!next.delete(caller)) next.add(caller);
  opened.value = next;
}

/** Arrows go to the next cell that can be chosen in that direction; Home and End to the ends of the row. */
function moveFocus(event: TargetedKeyboardEvent<HTMLTableElement>): void {
  const from = document.activeElement?.closest('td, th');
  const row = from?.closest('tr');
  if (!(from instanceof HTMLTableCellElement) || !row) return;
  const rows = [...event.currentTarget.rows];
  const target = destination(event.key, { rows, row: rows.indexOf(row), column: from.cellIndex });
  if (!target) return;
  event.preventDefault();
  target.focus();
}

interface Position {
  readonly rows: readonly HTMLTableRowElement[];
  readonly row: number;
  readonly column: number;
}

function destination(key: string, { rows, row, column }: Position): HTMLElement | undefined {
  const here = rows[row];
  const inRow = here ? [...here.cells].map(focusable) : [];
  if (key === 'ArrowRight') return inRow.slice(column + 1).find((cell) => cell !== undefined);
  if (key === 'ArrowLeft') return inRow.slice(0, column).findLast((cell) => cell !== undefined);
  if (key === 'Home') return inRow.find((cell) => cell !== undefined);
  if (key === 'End') return inRow.findLast((cell) => cell !== undefined);
  const inColumn = rows.map((each) => focusable(each.cells[column]));
  if (key === 'ArrowDown') return inColumn.slice(row + 1).find((cell) => cell !== undefined);
  if (key === 'ArrowUp') return inColumn.slice(0, row).findLast((cell) => cell !== undefined);
  return undefined;
}

function focusable(cell: Element | undefined): HTMLElement | undefined {
  return cell?.querySelector<HTMLElement>('[data-cell]') ?? undefined;
}
