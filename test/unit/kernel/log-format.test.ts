/**
 * Log lines: whatever a stranger puts into a field stays inside its line.
 */
import { describe, expect, it } from 'vitest';
import { createLog, formatJson, formatPretty, type LogRecord } from '../../../proto/kernel/log-format.ts';

const wallMs = Date.UTC(2026, 0, 2, 3, 4, 5, 678);

describe('log lines', () => {
  it('are one JSON object with at, level and msg first', () => {
    const line = formatJson({
      wallMs,
      level: 'info',
      msg: 'listening',
      fields: { api: 'http://x', n: 1, no: undefined },
    });
    expect(line).toBe('{"at":"2026-01-02T03:04:05.678Z","level":"info","msg":"listening","api":"http://x","n":1}');
  });

  it('cannot be forged or broken by what they carry', () => {
    const fields = { msg: 'fake', text: 'a\nb\x1b[31m', big: 'x'.repeat(10_000), bigint: 10n, nan: Number.NaN };
    const json = formatJson({ wallMs, level: 'warn', msg: 'real\nline', fields });
    expect(json).not.toContain('\n');
    expect(JSON.parse(json)).toMatchObject({ msg: 'real\nline', 'field.msg': 'fake', bigint: '10', nan: 'NaN' });
    expect(json.length).toBeLessThan(5_000);
    const pretty = formatPretty({ wallMs, level: 'warn', msg: 'real\nline', fields }, false);
    expect(pretty).not.toMatch(/\p{Cc}/u);
    expect(pretty).toContain('real\\u000aline');
  });

  it('write an error with its causes and survive circles', () => {
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    const error = new Error('no connection', { cause: new Error('refused') });
    expect(JSON.parse(formatJson({ wallMs, level: 'error', msg: 'm', fields: { error, circle } }))).toMatchObject({
      error: 'no connection: refused',
    });
  });

  it('are readable on a terminal', () => {
    expect(
      formatPretty({ wallMs, level: 'info', msg: 'listening', fields: { api: 'http://x', why: 'two words' } }, false),
    ).toBe('03:04:05.678 info  listening api=http://x why="two words"');
  });

  it('are dropped below the threshold', () => {
    const seen: Omit<LogRecord, 'wallMs'>[] = [];
    const log = createLog('warn', (record) => seen.push(record));
    log.info('no');
    log.error('yes', { n: 1 });
    expect(seen).toEqual([{ level: 'error', msg: 'yes', fields: { n: 1 } }]);
  });
});
