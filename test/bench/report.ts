/** Rounds become one row: the median of each figure, and how far the score's rounds lay apart. */
import { type FigureName, type Figures, figureColumns, rounded } from './figures.ts';
import { faultOf, type Measure } from './measure.ts';

/** Below this share of its core the proxy was waiting for load: the score stands, requests per second mean nothing. */
const saturatedShare = 0.95;
/** Above this share of the proxy's core taken by strangers, caches and latencies are no longer the proxy's own. */
const disturbedShare = 0.1;

export interface Row {
  readonly figures: Figures;
  /** (max − min) / median of the score; null for a single measurement. */
  readonly spread: number | null;
  readonly notes: readonly string[];
  /** Why the figures must not be believed; they are then neither shown nor compared. */
  readonly invalid: string | null;
}

/** `proxies` by name, as the JSON line holds them; `outside`: why others have no part in this case. */
export interface CaseResult {
  readonly name: string;
  readonly columns: readonly FigureName[];
  readonly proxies: ReadonlyMap<string, Row>;
  readonly outside: ReadonlyMap<string, string>;
}

export function median(values: readonly number[]): number {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

export function summarise(rounds: readonly Measure[], columns: readonly FigureName[]): Row {
  const figures: Figures = Object.fromEntries(columns.map((name) => [name, rounded(name, figureOf(rounds, name))]));
  const scores = rounds.map((round) => (columns[0] === 'cpuUsPerMb' ? round.cpuUsPerMb : round.cpuUsPerRequest));
  return {
    figures,
    spread: (Math.max(...scores) - Math.min(...scores)) / median(scores),
    notes: notesOn(rounds),
    invalid: rounds.map(faultOf).find((fault) => fault !== null) ?? null,
  };
}

function figureOf(rounds: readonly Measure[], name: FigureName): number {
  return median(rounds.map((round) => new Map<string, number | null>(Object.entries(round)).get(name) ?? Number.NaN));
}

function notesOn(rounds: readonly Measure[]): string[] {
  const notes: string[] = [];
  const busy = rounds.filter(({ rateShare }) => rateShare === null).map((round) => round.coreBusy);
  const least = Math.min(...busy.map((share) => share ?? 1));
  if (busy.includes(null)) notes.push('not pinned');
  else if (least < saturatedShare) notes.push(`generator-bound (core ${percent(least)} busy)`);
  const others = Math.max(...rounds.map((round) => round.othersBusy));
  if (others > disturbedShare) notes.push(`disturbed (others took ${percent(others)} of its core)`);
  return notes;
}

export function renderCase(result: CaseResult, summary: string): string {
  const [score, ...others] = result.columns;
  const hasSpread = [...result.proxies.values()].some(({ spread }) => spread !== null);
  const titles = [titleOf(score), ...(hasSpread ? ['spread'] : []), ...others.map(titleOf)];
  const lines = [`${result.name}: ${summary}`, tableLine('', titles, '')];
  for (const [name, row] of result.proxies) {
    if (row.invalid !== null) {
      lines.push(`  ${name.padEnd(14)} INVALID: ${[row.invalid, ...row.notes].join(', ')}`);
      continue;
    }
    const spread = hasSpread ? [row.spread === null ? '' : percent(row.spread)] : [];
    const cells = [cell(row, score), ...spread, ...others.map((column) => cell(row, column))];
    lines.push(tableLine(name, cells, row.notes.join(', ')));
  }
  for (const [name, reason] of result.outside) lines.push(`  ${name.padEnd(14)} has no part: ${reason}`);
  return [...lines, ...ratioLines(result)].join('\n');
}

function titleOf(column: FigureName | undefined): string {
  return column === undefined ? '' : figureColumns[column].title;
}

function cell({ figures }: Row, column: FigureName | undefined): string {
  const value = column === undefined ? undefined : figures[column];
  if (column === undefined || value === undefined || Number.isNaN(value)) return '–';
  return value.toFixed(figureColumns[column].digits);
}

function tableLine(name: string, cells: readonly string[], notes: string): string {
  return `  ${name.padEnd(14)}${cells.map((text) => text.padStart(11)).join('')}  ${notes}`.trimEnd();
}

/** `weir / haproxy 0.98×`: CPU per request or megabyte, lower is better for the first. */
function ratioLines({ columns, proxies }: CaseResult): string[] {
  const score = columns[0];
  if (score !== 'cpuUsPerRequest' && score !== 'cpuUsPerMb') return [];
  const ratios: string[] = [];
  for (const [name, row] of proxies) {
    if (!name.startsWith('weir')) continue;
    for (const [peer, other] of proxies) {
      if (peer.startsWith('weir') || row.invalid !== null || other.invalid !== null) continue;
      ratios.push(`${name} / ${peer} ${((row.figures[score] ?? 0) / (other.figures[score] ?? 0)).toFixed(2)}×`);
    }
  }
  return ratios.length === 0 ? [] : [`  CPU: ${ratios.join('   ')}`];
}

/** For the machine: of an invalid row, why, and no figures that could be taken for good ones. */
export function toJsonCases(results: readonly CaseResult[]): readonly object[] {
  return results.map(({ name, proxies }) => ({
    name,
    proxies: Object.fromEntries(
      [...proxies].map(([proxy, { figures, invalid }]) => [proxy, invalid === null ? figures : { invalid }]),
    ),
  }));
}

export function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
