/** A minute of requests per second. A gap is a second without a report; the curve does not pretend across it. */
import type { JSX } from 'preact';
import { rate } from './format.ts';

const width = 96;
const height = 22;

export function Sparkline({ points }: { readonly points: readonly (number | null)[] }): JSX.Element {
  const known = points.filter((point) => point !== null);
  const top = Math.max(1, ...known);
  const x = (index: number): number => (index * width) / Math.max(1, points.length - 1);
  const y = (value: number): number => height - 1.5 - (value / top) * (height - 4);
  const runs = runsOf(points);
  const line = runs
    .map((run) => run.map(([i, v], k) => `${k === 0 ? 'M' : 'L'}${x(i).toFixed(1)} ${y(v).toFixed(1)}`).join(''))
    .join('');
  const area = runs
    .map((run) => {
      const first = run[0]!;
      const last = run[run.length - 1]!;
      const curve = run.map(([i, v]) => `L${x(i).toFixed(1)} ${y(v).toFixed(1)}`).join('');
      return `M${x(first[0]).toFixed(1)} ${height}${curve}L${x(last[0]).toFixed(1)} ${height}z`;
    })
    .join('');
  const now = known.length > 0 ? known[known.length - 1]! : null;
  return (
    <svg
      class="spark"
      viewBox={`0 0 ${width} ${height}`}
      width={width}
      height={height}
      role="img"
      aria-label={`the last minute, at most ${rate(known.length > 0 ? top : null)} a second, last ${rate(now)}`}
    >
      <path class="spark-area" d={area} />
      <path class="spark-line" d={line} />
    </svg>
  );
}

type Run = [index: number, value: number][];

function runsOf(points: readonly (number | null)[]): Run[] {
  const runs: Run[] = [];
  let run: Run | undefined;
  points.forEach((value, index) => {
    if (value === null) run = undefined;
    else if (run) run.push([index, value]);
    else {
      run = [[index, value]];
      runs.push(run);
    }
  });
  return runs;
}
