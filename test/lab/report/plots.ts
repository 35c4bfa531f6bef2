/** Writes each scenario's plots, every policy a curve. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ScenarioResult } from '../run.ts';
import { svgPlot } from './svg-plot.ts';

/** Answers the files written. */
export function writePlots(folder: string, results: readonly ScenarioResult[]): string[] {
  const plots = results[0]?.scenario.plots ?? [];
  if (plots.length > 0) mkdirSync(folder, { recursive: true });
  return plots.map(({ file, points, ...texts }) => {
    const path = join(folder, `${file}.svg`);
    const series = results.map(({ policy, recordings }) => ({ name: policy, points: points(recordings) }));
    writeFileSync(path, svgPlot({ ...texts, series }));
    return path;
  });
}
