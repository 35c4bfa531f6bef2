/**
 * One log record as one line: JSON for machines, a short coloured line for a terminal. Pure, so that both programs
 * write the same format; the edge of each decides where the line goes. What is logged may come from strangers
 * (header values, paths, errors of peers): nothing in it can break out of its line or make the line grow without end.
 */
export const logLevels = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof logLevels)[number];

export type LogFields = Readonly<Record<string, unknown>>;

export interface LogRecord {
  readonly wallMs: number;
  readonly level: LogLevel;
  readonly msg: string;
  readonly fields?: LogFields;
}

/** What every part of a program logs through; the edge supplies it. */
export interface Log {
  debug(msg: string, fields?: LogFields): void;
  info(msg: string, fields?: LogFields): void;
  warn(msg: string, fields?: LogFields): void;
  error(msg: string, fields?: LogFields): void;
}

/** Longer strings are cut: one field must not fill a disk. */
export const logTextMax = 4096;
/** Nesting below this is written as "…". */
export const logDepthMax = 5;
export const logItemsMax = 100;

export function isLogged(level: LogLevel, threshold: LogLevel): boolean {
  return logLevels.indexOf(level) >= logLevels.indexOf(threshold);
}

/** A Log that writes through `write`, dropping what is below the threshold. */
export function createLog(threshold: LogLevel, write: (record: Omit<LogRecord, 'wallMs'>) => void): Log {
  const at =
    (level: LogLevel) =>
    (msg: string, fields?: LogFields): void => {
      if (isLogged(level, threshold)) write(fields ? { level, msg, fields } : { level, msg });
    };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

export const silentLog: Log = createLog('error', () => {});

/** One line without its line break. `at`, `level` and `msg` come first and cannot be overwritten by fields. */
export function formatJson({ wallMs, level, msg, fields }: LogRecord): string {
  const line: Record<string, unknown> = { at: new Date(wallMs).toISOString(), level, msg: cut(msg) };
  for (const [name, value] of Object.entries(fields ?? {})) {
    if (value === undefined) continue;
    line[name in line ? `field.${name}` : name] = plain(value, 0);
  }
  return JSON.stringify(line);
}

const colours: Record<LogLevel, string> = { debug: '\x1b[90m', info: '\x1b[36m', warn: '\x1b[33m', error: '\x1b[31m' };

/** `14:02:11.123 info  listening  api=http://127.0.0.1:15080`, for people. */
export function formatPretty({ wallMs, level, msg, fields }: LogRecord, colour: boolean): string {
  const paint = (code: string, text: string): string => (colour ? `${code}${text}\x1b[0m` : text);
  const parts = [
    paint('\x1b[90m', new Date(wallMs).toISOString().slice(11, 23)),
    paint(colours[level], level.padEnd(5)),
    printable(cut(msg)),
  ];
  for (const [name, value] of Object.entries(fields ?? {})) {
    if (value === undefined) continue;
    const clean = plain(value, 0);
    const text = typeof clean === 'string' && /^[!-~]+$/.test(clean) ? clean : printable(JSON.stringify(clean));
    parts.push(`${paint('\x1b[90m', `${printable(name)}=`)}${text}`);
  }
  return parts.join(' ');
}

/** A value that JSON can write, bounded in depth, items and length. */
function plain(value: unknown, depth: number): unknown {
  switch (typeof value) {
    case 'string':
      return cut(value);
    case 'number':
      return Number.isFinite(value) ? value : String(value);
    case 'boolean':
      return value;
    case 'object':
      break;
    default:
      return cut(String(value));
  }
  if (value === null) return null;
  if (value instanceof Error) return errorText(value);
  if (depth >= logDepthMax) return '…';
  if (Array.isArray(value)) return value.slice(0, logItemsMax).map((item) => plain(item, depth + 1));
  const entries = Object.entries(value).slice(0, logItemsMax);
  return Object.fromEntries(entries.map(([name, item]) => [cut(name), plain(item, depth + 1)]));
}

/** The message with those of its causes; stacks only for what has no message. */
function errorText(error: Error): string {
  const messages: string[] = [];
  let current: unknown = error;
  for (let i = 0; i < 5 && current instanceof Error; i++) {
    messages.push(current.message || current.stack || current.name);
    current = current.cause;
  }
  return cut(messages.join(': '));
}

function cut(text: string): string {
  return text.length > logTextMax ? `${text.slice(0, logTextMax)}… (${text.length} characters)` : text;
}

/** Escapes what a terminal would obey: control characters and the bidirectional overrides. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}
