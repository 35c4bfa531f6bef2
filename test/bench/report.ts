/** Rounds become one row: the median of each figure, and how far the score's rounds lay apart. */
import type { Measure } from './measure.ts';

/** Below this share of its core the proxy was waiting for load: the score stands, requests per second mean nothing. */
const saturatedShare = 0.95;
/** Above this share of the proxy's core taken by strangers, caches and latencies are no longer the proxy's own. */
const disturbedShare = 0.1;

export interface Figures {
  readonly cpuUsPerRequest: number;
  readonly rps: number;
  readonly meanUs: number;
  readonly p99Us: number;
  readonly rssMb: number;
}

export interface Row {
  readonly figures: Figures;
  /** (max − min) / median of the CPU per request. */
  readonly spread: number;
  readonly notes: readonly string[];
}

/** What the JSON line holds: `proxies` by name. */
export interface CaseResult {
  readonly name: string;
  readonly proxies: ReadonlyMap<string, Row>;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

export function summarise(rounds: readonly Measure[]): Row {
  const of = (figure: keyof Figures) => median(rounds.map((round) => round[figure]));
  const costs = rounds.map((round) => round.cpuUsPerRequest);
  return {
    figures: {
      cpuUsPerRequest: roundTo(of('cpuUsPerRequest'), 2),
      rps: roundTo(of('rps'), 0),
      meanUs: roundTo(of('meanUs'), 0),
      p99Us: roundTo(of('p99Us'), 0),
      rssMb: roundTo(of('rssMb'), 1),
    },
    spread: (Math.max(...costs) - Math.min(...costs)) / median(costs),
    notes: notesOn(rounds),
  };
}

function notesOn(rounds: readonly Measure[]): string[] {
  const notes: string[] = [];
  const busy = rounds.map((round) => round.coreBusy);
  const least = Math.min(...busy.map((share) => share ?? 1));
  if (busy.includes(null)) notes.push('not pinned');
  else if (least < saturatedShare) notes.push(`generator-bound (core ${percent(least)} busy)`);
  const others = Math.max(...rounds.map((round) => round.othersBusy));
  if (others > disturbedShare) notes.push(`disturbed (others took ${percent(others)} of its core)`);
  const failures = rounds.reduce((sum, round) => sum + round.failures, 0);
  if (failures > 0) notes.push(`${failures} FAILED`);
  return notes;
}

export function renderCase(result: CaseResult, summary: string): string {
  const lines = [`${result.name}: ${summary}`];
  lines.push(tableLine(['', 'CPU µs/req', 'spread', 'req/s', 'mean µs', 'p99 µs', 'RSS MB'], ''));
  for (const [name, { figures, spread, notes }] of result.proxies) {
    const { cpuUsPerRequest, rps, meanUs, p99Us, rssMb } = figures;
    const cells = [cpuUsPerRequest.toFixed(2), percent(spread), rps, meanUs, p99Us, rssMb.toFixed(1)];
    lines.push(tableLine([name, ...cells.map(String)], notes.join(', ')));
  }
  return [...lines, ...ratioLines(result.proxies)].join('\n');
}

function tableLine(cells: readonly string[], notes: string): string {
  const [name = '', ...rest] = cells;
  return `  ${name.padEnd(14)}${rest.map((cell) => cell.padStart(11)).join('')}  ${notes}`.trimEnd();
}

/** `weir / haproxy 0.98×`: CPU per request, lower is better for the first. */
function ratioLines(proxies: ReadonlyMap<string, Row>): string[] {
  const ratios: string[] = [];
  for (const [name, row] of proxies) {
    if (!name.startsWith('weir')) continue;
    for (const [peer, other] of proxies) {
      if (peer.startsWith('weir')) continue;
      const ratio = row.figures.cpuUsPerRequest / other.figures.cpuUsPerRequest;
      ratios.push(`${name} / ${peer} ${ratio.toFixed(2)}×`);
    }
  }
  return ratios.length === 0 ? [] : [`  CPU per request: ${ratios.join('   ')}`];
}

export function toJson(results: readonly CaseResult[]): string {
  const cases = results.map(({ name, proxies }) => ({
    name,
    proxies: Object.fromEntries([...proxies].map(([proxy, row]) => [proxy, row.figures])),
  }));
  return JSON.stringify({ cases });
}

export function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

function roundTo(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
