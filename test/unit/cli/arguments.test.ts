/** The command line's grammar: what a word means, and that every mistake is named at once. */
import { expect, test } from 'vitest';
import { type Arguments, parseArguments } from '../../../control-plane/cli/arguments.ts';

const definition = {
  positionalsMax: 2,
  flags: {
    output: { kind: 'choice', short: 'o', choices: ['table', 'json'], description: '', default: 'table' },
    file: { kind: 'list', short: 'f', description: '' },
    watch: { kind: 'boolean', short: 'w', description: '' },
    timeout: { kind: 'duration', description: '', default: '10s' },
    server: { kind: 'text', description: '' },
  },
} as const;

function parsed(...argv: string[]): Arguments {
  const result = parseArguments(definition, argv);
  if (!result.ok) throw new Error(result.errors.join('; '));
  return result.arguments;
}

function errors(...argv: string[]): readonly string[] {
  const result = parseArguments(definition, argv);
  return result.ok ? [] : result.errors;
}

test('flags and positionals come in any order and in every usual form', () => {
  for (const output of [['-o', 'json'], ['-ojson'], ['-o=json'], ['--output', 'json'], ['--output=json']]) {
    const given = parsed('services', ...output, '-w', 'payments');
    expect(given.positionals).toEqual(['services', 'payments']);
    expect(given.text('output')).toBe('json');
    expect(given.flag('watch')).toBe(true);
  }
});

test('defaults stand where nothing is given, and a dash is a value and a positional', () => {
  const given = parsed('-f', '-', '-f', 'a.yaml', '-');
  expect(given.list('file')).toEqual(['-', 'a.yaml']);
  expect(given.positionals).toEqual(['-']);
  expect([given.text('output'), given.duration('timeout'), given.flag('watch'), given.text('server')]).toEqual([
    'table',
    10_000,
    false,
    undefined,
  ]);
  expect(parsed('--watch=false').flag('watch')).toBe(false);
});

test('after a double dash nothing is a flag', () => {
  expect(parsed('--', '-w', '--output').positionals).toEqual(['-w', '--output']);
});

test('every mistake is named at once', () => {
  expect(errors('a', 'b', 'c', '-o', 'xml', '--nope', 'value', '--timeout', 'soon', '-w', '-w', '--server')).toEqual([
    '-o: "xml" is none of table, json',
    'unknown flag --nope',
    '--timeout: "soon" is not a duration such as 500ms, 30s or 1m30s',
    '-w is given twice',
    '--server needs a value',
    'unexpected argument "c"',
  ]);
  expect(errors('--server=')).toEqual(['--server: the value is empty']);
  expect(errors('--watch=perhaps')).toEqual(['--watch takes no value']);
});

test('asking for help wins over mistakes', () => {
  const result = parseArguments(definition, ['--nope', '-h']);
  expect(result.ok && result.help).toBe(true);
});
