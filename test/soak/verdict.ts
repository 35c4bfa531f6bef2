/** The table of a soak and its verdict: what the end must look like, given the beginning. */
import type { Reading } from './readings.ts';

/** A heap is never the same twice; this much either way is. */
export const heapTolerance = 0.05;

export interface Row {
  readonly minute: string;
  readonly ok: number;
  readonly broken: number;
  readonly failed: number;
  readonly readings: ReadonlyMap<string, Reading>;
}

const mib = (bytes: number): string => (bytes / 1048576).toFixed(1);

export function headline(names: readonly string[]): string {
  const columns = names.map((name) => `${name}: heap   rss  handles conns streams buffered`.padEnd(52));
  return `minute      ok  broken failed  ${columns.join(' ')}`;
}

export function line(row: Row): string {
  const columns = [...row.readings.values()].map((reading) => {
    const { heapBytes, rssBytes, handles, connections, streams, bufferedBytes } = reading;
    const numbers = [mib(heapBytes).padStart(7), mib(rssBytes).padStart(6), String(handles).padStart(7)];
    numbers.push(String(connections).padStart(6), String(streams).padStart(7), mib(bufferedBytes).padStart(8));
    return `   ${numbers.join(' ')}`.padEnd(52);
  });
  const counts = [row.ok, row.broken, row.failed].map((count) => String(count).padStart(7));
  return `${row.minute.padEnd(6)}${counts.join('')}  ${columns.join(' ')}`;
}

/** What is not as it was; empty when all is well. */
export function faults(name: string, before: Reading, after: Reading): string[] {
  const found: string[] = [];
  const change = after.heapBytes / before.heapBytes - 1;
  if (change > heapTolerance) {
    const percent = (change * 100).toFixed(1);
    found.push(`${name}: heap ${mib(before.heapBytes)} → ${mib(after.heapBytes)} MiB (+${percent} %)`);
  }
  if (after.handles > before.handles) found.push(`${name}: handles ${before.handles} → ${after.handles}`);
  for (const what of ['connections', 'streams', 'bufferedBytes', 'inFlight'] as const) {
    if (after[what] !== 0) found.push(`${name}: ${what} ${after[what]}`);
  }
  return found;
}

export function isQuiet(
  readings: Iterable<Reading>,
  handlesMax: ReadonlyMap<string, number>,
  names: readonly string[],
): boolean {
  let at = 0;
  for (const { connections, streams, bufferedBytes, inFlight, handles } of readings) {
    if (connections + streams + bufferedBytes + inFlight > 0) return false;
    if (handles > (handlesMax.get(names[at] ?? '') ?? Number.POSITIVE_INFINITY)) return false;
    at++;
  }
  return true;
}
