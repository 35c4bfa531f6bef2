/** A line plot as SVG text: axes with round ticks, a legend, colours that the colour-blind can tell apart. */
import type { Series } from '../scenario.ts';

export interface PlotOptions {
  readonly title: string;
  readonly x: string;
  readonly y: string;
  readonly logX?: boolean;
  readonly series: readonly Series[];
}

const width = 860;
const height = 480;
const left = 70;
const right = 180;
const top = 54;
const bottom = 58;
const plotWidth = width - left - right;
const plotHeight = height - top - bottom;
/** Okabe and Ito's. */
const colours = ['#0072b2', '#999999', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#000000'];
const ticksWanted = 6;

export function svgPlot({ title, x, y, logX = false, series }: PlotOptions): string {
  const points = series.flatMap((line) => line.points).filter(([px, py]) => Number.isFinite(px) && Number.isFinite(py));
  const xs = points.map(([px]) => px);
  const xMin = Math.min(...xs);
  const xMax = Math.max(...xs);
  const yTicks = ticks(0, Math.max(...points.map(([, py]) => py), 1e-9));
  const yMax = yTicks.at(-1)!;
  const scale = logX ? Math.log : (value: number) => value;
  const span = scale(xMax) - scale(xMin) || 1;
  const toX = (value: number): number => left + ((scale(value) - scale(xMin)) / span) * plotWidth;
  const toY = (value: number): number => top + plotHeight - (value / yMax) * plotHeight;
  const xTicks = logX
    ? [...new Set(xs)].sort((a, b) => a - b)
    : ticks(xMin, xMax).filter((t) => t >= xMin && t <= xMax);
  const lines = series.map((line, i) => curve(line, i, toX, toY));
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="13" fill="#222">
<rect width="${width}" height="${height}" fill="#fff"/>
<text x="${left}" y="30" font-size="18" font-weight="600">${escaped(title)}</text>
${yTicks.map((tick) => horizontal(toY(tick), label(tick))).join('\n')}
${xTicks.map((tick) => vertical(toX(tick), label(tick))).join('\n')}
<rect x="${left}" y="${top}" width="${plotWidth}" height="${plotHeight}" fill="none" stroke="#888"/>
<text x="${left + plotWidth / 2}" y="${height - 14}" text-anchor="middle">${escaped(x)}</text>
<text transform="translate(18 ${top + plotHeight / 2}) rotate(-90)" text-anchor="middle">${escaped(y)}</text>
${lines.join('\n')}
${series.map((line, i) => legend(line.name, i)).join('\n')}
</svg>
`;
}

function curve(
  { points, name }: Series,
  index: number,
  toX: (value: number) => number,
  toY: (value: number) => number,
): string {
  const known = points.filter(([px, py]) => Number.isFinite(px) && Number.isFinite(py));
  const path = known.map(([px, py], i) => `${i === 0 ? 'M' : 'L'}${toX(px).toFixed(1)} ${toY(py).toFixed(1)}`).join('');
  const colour = colours[index % colours.length];
  const dots = known.length > 40 ? '' : known.map(([px, py]) => dot(toX(px), toY(py), colour!)).join('');
  const lineWidth = index === 0 ? 3 : 1.6;
  return `<g><title>${escaped(name)}</title><path d="${path}" fill="none" stroke="${colour}" stroke-width="${lineWidth}" stroke-linejoin="round"/>${dots}</g>`;
}

const dot = (x: number, y: number, colour: string): string =>
  `<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="3.2" fill="${colour}"/>`;

const horizontal = (y: number, text: string): string =>
  `<path d="M${left} ${y.toFixed(1)}h${plotWidth}" stroke="#e4e4e4"/><text x="${left - 8}" y="${(y + 4).toFixed(1)}" text-anchor="end">${text}</text>`;

const vertical = (x: number, text: string): string =>
  `<path d="M${x.toFixed(1)} ${top}v${plotHeight}" stroke="#f0f0f0"/><text x="${x.toFixed(1)}" y="${top + plotHeight + 20}" text-anchor="middle">${text}</text>`;

function legend(name: string, index: number): string {
  const y = top + 12 + index * 24;
  const x = left + plotWidth + 18;
  return `<path d="M${x} ${y}h26" stroke="${colours[index % colours.length]}" stroke-width="${index === 0 ? 3 : 1.6}"/><text x="${x + 34}" y="${y + 4}"${index === 0 ? ' font-weight="600"' : ''}>${escaped(name)}</text>`;
}

/** Multiples of 1, 2 or 5 times a power of ten from below `min` to above `max`. */
export function ticks(min: number, max: number): number[] {
  const raw = (max - min || 1) / ticksWanted;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= raw) ?? 10);
  const found: number[] = [];
  for (let i = Math.floor(min / step); ; i++) {
    found.push(i * step);
    if (i * step >= max) return found;
  }
}

const label = (value: number): string => String(Number(value.toPrecision(3)));

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
