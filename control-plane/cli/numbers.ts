/** Numbers for tables: short, with their unit, and a dash for "not known", which is never zero. */

export const unknown = '–';

const orUnknown =
  <T>(format: (value: T) => string) =>
  (value: T | null | undefined): string =>
    value === null || value === undefined ? unknown : format(value);

/** 0.25, 7.4, 182, 12.3k */
export const rate = orUnknown((perSecond: number) => {
  if (perSecond >= 10_000) return `${(perSecond / 1000).toFixed(1)}k`;
  if (perSecond >= 100 || perSecond === 0) return perSecond.toFixed(0);
  return perSecond.toFixed(perSecond >= 1 ? 1 : 2);
});

/** Never rounded up to 100 %: that would hide the failures. */
export const percent = orUnknown((ratio: number) => {
  const value = ratio * 100;
  if (value === 100) return '100%';
  return `${Math.min(value, 99.9).toFixed(1)}%`;
});

export const milliseconds = orUnknown((value: number) => {
  if (value >= 10_000) return `${(value / 1000).toFixed(1)}s`;
  return value >= 10 ? `${value.toFixed(0)}ms` : `${value.toFixed(1)}ms`;
});

export const count = orUnknown((value: number) => String(Math.round(value)));

export const bytes = orUnknown((value: number) => {
  if (value >= 1024 ** 3) return `${(value / 1024 ** 3).toFixed(1)}GiB`;
  if (value >= 1024 ** 2) return `${(value / 1024 ** 2).toFixed(0)}MiB`;
  return value >= 1024 ? `${(value / 1024).toFixed(0)}KiB` : `${value}B`;
});

/** 4s, 12m, 3h, 5d: one unit, as kubectl does. */
export const age = orUnknown((ageMs: number) => {
  const seconds = Math.max(0, Math.floor(ageMs / 1000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)}m`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)}h` : `${Math.floor(seconds / 86_400)}d`;
});
