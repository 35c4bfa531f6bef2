/**
 * The configurations of the proxies are one file each for all cases. What differs by case stands in lines that begin
 * with a mark, `#[tls] …`, a comment to the format itself; what differs by run is `${NAME}`, in capitals, so that the
 * variables of the formats (`$server_name`) stay theirs. A mark or name that is not known is a mistake, not a comment.
 */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { configFile } from './tools.ts';

export const marks = ['plain', 'tls', 'admit', 'refuse'] as const;
export type Mark = (typeof marks)[number];

/** What a case asks of a proxy beyond forwarding. */
export interface Setting {
  /** TLS toward the generator; the origin is always spoken to in the clear. */
  readonly tls: boolean;
  /** The total rate limit is one request a second, so that practically everything is refused. */
  readonly refuses: boolean;
}

export const plainSetting: Setting = { tls: false, refuses: false };

export function marksOf({ tls, refuses }: Setting): readonly Mark[] {
  return [tls ? 'tls' : 'plain', refuses ? 'refuse' : 'admit'];
}

export function renderConfig(text: string, on: readonly Mark[], values: Readonly<Record<string, string>>): string {
  const known = new Set<string>(marks);
  const wanted = new Set<string>(on);
  const lines: string[] = [];
  for (const line of text.split('\n')) {
    const [, indent, mark = '', rest] = /^(\s*)#\[(\w+)\] (.*)$/.exec(line) ?? [];
    if (rest === undefined) lines.push(line);
    else if (!known.has(mark)) throw new Error(`unknown mark in ${line.trim()}; known are ${marks.join(', ')}`);
    else if (wanted.has(mark)) lines.push(`${indent}${rest}`);
  }
  return lines.join('\n').replace(/\$\{([A-Z_]+)\}/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`no value for ${name}; there are ${Object.keys(values).join(', ')}`);
    return value;
  });
}

/** Renders a file of test/bench/peers into a folder of its own under `scratchFolder`; returns the path. */
export function writeConfig(
  name: string,
  setting: Setting,
  scratchFolder: string,
  values: Readonly<Record<string, string>>,
): string {
  const folder = mkdtempSync(join(scratchFolder, 'config-'));
  const file = join(folder, name);
  const text = readFileSync(configFile(`peers/${name}`), 'utf8');
  writeFileSync(file, renderConfig(text, marksOf(setting), { ...values, SCRATCH: folder }));
  return file;
}
