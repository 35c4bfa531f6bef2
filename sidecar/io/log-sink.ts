/**
 * Log lines to stdout: JSON for machines, one short line each on a terminal. Format and cutting are the kernel's.
 */
import { createLog, formatJson, formatPretty, type Log, type LogLevel } from '../../proto/kernel/log-format.ts';

export function createStdoutLog(format: 'auto' | 'json' | 'pretty', level: LogLevel): Log {
  const isPretty = format === 'pretty' || (format === 'auto' && process.stdout.isTTY === true);
  const isColoured = process.env.NO_COLOR === undefined;
  return createLog(level, (record) => {
    const full = { ...record, wallMs: Date.now() };
    process.stdout.write(`${isPretty ? formatPretty(full, isColoured) : formatJson(full)}\n`);
  });
}
