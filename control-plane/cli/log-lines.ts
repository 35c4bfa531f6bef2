/** The log of a program we started: JSON lines, read for what we need and shown as people read them on a terminal. */
import { formatPretty, type LogRecord, logLevels } from '../../proto/kernel/log-format.ts';
import { isRecord } from '../../proto/policy/problems.ts';

/** Undefined when the line is no record of ours. */
export function parseLogLine(line: string): LogRecord | undefined {
  if (!line.startsWith('{')) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (!isRecord(value) || typeof value.msg !== 'string') return undefined;
  const { at, level, msg, ...fields } = value;
  return {
    wallMs: typeof at === 'string' ? Date.parse(at) || 0 : 0,
    level: logLevels.find((known) => known === level) ?? 'info',
    msg,
    fields,
  };
}

/** For a terminal; in a pipe the line stays as it is, for whoever parses it. */
export function showLogLine(line: string, { isTTY, colour }: { isTTY: boolean; colour: boolean }): string {
  const record = isTTY ? parseLogLine(line) : undefined;
  return record ? formatPretty(record, colour) : line;
}
