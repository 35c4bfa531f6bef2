/** The words of the report: what is measured, how it is headed, and to how many digits it means something. */

/** Every figure a case may have: its head in the table, and its digits after the point. */
export const figureColumns = {
  cpuUsPerRequest: { title: 'CPU µs/req', digits: 2 },
  cpuUsPerMb: { title: 'CPU µs/MB', digits: 1 },
  rps: { title: 'req/s', digits: 0 },
  mbPerS: { title: 'MB/s', digits: 0 },
  meanUs: { title: 'mean µs', digits: 0 },
  p99Us: { title: 'p99 µs', digits: 0 },
  rssMb: { title: 'RSS MB', digits: 1 },
  listeningMs: { title: 'listens ms', digits: 0 },
  answeringMs: { title: 'answers ms', digits: 0 },
  logLineMs: { title: 'logs ms', digits: 0 },
  idleCpuMsPerS: { title: 'CPU ms/s', digits: 1 },
  rssBeforeMb: { title: 'before MB', digits: 1 },
  rssAfterMb: { title: 'after MB', digits: 1 },
  growthMb: { title: 'growth MB', digits: 1 },
  capMb: { title: 'cap MB', digits: 0 },
  aboveCapMb: { title: 'over cap', digits: 1 },
  p99UnloadedUs: { title: 'p99 alone', digits: 0 },
  p99Ratio: { title: 'p99 ratio', digits: 2 },
  readersServed: { title: 'served', digits: 0 },
  readersReset: { title: 'reset', digits: 0 },
} as const;

export type FigureName = keyof typeof figureColumns;
export type Figures = Partial<Readonly<Record<FigureName, number>>>;

export function rounded(name: FigureName, value: number): number {
  return Number(value.toFixed(figureColumns[name].digits));
}
