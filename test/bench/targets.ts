/**
 * What the sidecar is to reach. Ratios hold between two proxies of one run, as machines differ; the others are
 * absolute. Every one of them is judged at the end of a run, or said to be not measured.
 */
import type { FigureName } from './figures.ts';
import type { CaseResult, Row } from './report.ts';

/** Of the sidecar against itself, or, with `peer`, divided by the peer's. */
export interface Target {
  readonly cases: readonly string[];
  readonly figure: FigureName;
  readonly peer?: string;
  readonly max: number;
}

/** The sidecar may hold this much beside what its process cap allows for content. */
const besideCapMb = 150;
const perRequest = 'cpuUsPerRequest';
const everywhere = ['unary-10x20', 'unary-50x1', 'unary-1x1', 'body10k-4x10', 'unary-unique-headers'];
const atFixedRates = ['fixed-1000rps', 'fixed-5000rps'];

export const targets: readonly Target[] = [
  { cases: ['unary-10x20'], figure: perRequest, peer: 'haproxy', max: 1.1 },
  { cases: ['unary-10x20'], figure: perRequest, peer: 'node-http2', max: 1 / 15 },
  { cases: ['unary-50x1'], figure: perRequest, peer: 'haproxy', max: 1.2 },
  { cases: ['unary-1x1'], figure: 'meanUs', peer: 'haproxy', max: 1.1 },
  { cases: ['body10k-4x10'], figure: perRequest, peer: 'haproxy', max: 0.7 },
  { cases: ['unary-unique-headers'], figure: perRequest, peer: 'haproxy', max: 1.5 },
  { cases: ['tls-unary-10x20'], figure: perRequest, peer: 'haproxy', max: 1.5 },
  { cases: ['tls-body10k-4x10'], figure: perRequest, peer: 'haproxy', max: 0.8 },
  {
    cases: [
      ...everywhere,
      ...['tls-unary-10x20', 'tls-body10k-4x10', 'rejections', 'connections-1000', 'grpc-js-unary', 'grpc-go-unary'],
      ...atFixedRates,
    ],
    figure: perRequest,
    peer: 'envoy',
    max: 1 / 3,
  },
  { cases: ['server-streaming'], figure: 'cpuUsPerMb', peer: 'envoy', max: 1 / 3 },
  { cases: ['rejections'], figure: perRequest, max: 20 },
  { cases: ['start'], figure: 'listeningMs', max: 300 },
  { cases: ['start'], figure: 'rssMb', max: 65 },
  { cases: ['held-streams'], figure: 'rssMb', max: 110 },
  { cases: ['million'], figure: 'growthMb', max: 20 },
  { cases: ['slow-readers-5000'], figure: 'aboveCapMb', max: besideCapMb },
  { cases: ['slow-readers-5000'], figure: 'p99Ratio', max: 2 },
];

const subject = 'weir';

export interface Verdict {
  readonly case: string;
  readonly figure: FigureName;
  readonly peer: string | null;
  readonly max: number;
  /** Null where it was not measured. */
  readonly value: number | null;
}

/** One verdict for each target whose case has run. */
export function judge(results: readonly CaseResult[], against: readonly Target[] = targets): Verdict[] {
  return against.flatMap(({ cases, figure, peer, max }) =>
    results
      .filter(({ name }) => cases.includes(name))
      .map(({ name, proxies }) => {
        const own = figureOf(proxies.get(subject), figure);
        const other = peer === undefined ? 1 : figureOf(proxies.get(peer), figure);
        const value = own === null || other === null ? null : own / other;
        return { case: name, figure, peer: peer ?? null, max, value };
      }),
  );
}

function figureOf(row: Row | undefined, figure: FigureName): number | null {
  if (row === undefined || row.invalid !== null) return null;
  const value = row.figures[figure];
  return value === undefined || Number.isNaN(value) ? null : value;
}

export function isMet({ value, max }: Verdict): boolean | null {
  return value === null ? null : value <= max;
}

export function renderVerdicts(verdicts: readonly Verdict[]): string {
  if (verdicts.length === 0) return '';
  const lines = verdicts.map((verdict) => {
    const { figure, peer, max, value } = verdict;
    const what = `${verdict.case.padEnd(22)}${figure}${peer === null ? '' : ` / ${peer}`}`;
    const unit = peer === null ? '' : '×';
    const measured = value === null ? '–' : `${value.toFixed(3)}${unit}`;
    return `  ${word(isMet(verdict)).padEnd(13)}${what.padEnd(50)}${measured.padStart(10)}   ≤ ${bound(max)}${unit}`;
  });
  const count = (met: boolean | null) => verdicts.filter((verdict) => isMet(verdict) === met).length;
  const summary = `Targets: ${count(true)} met, ${count(false)} missed, ${count(null)} not measured`;
  return [summary, ...lines].join('\n');
}

function bound(max: number): string {
  return Number.isInteger(max) ? String(max) : max.toFixed(3).replace(/0+$/, '');
}

function word(met: boolean | null): string {
  return met === null ? 'not measured' : met ? 'met' : 'MISSED';
}
