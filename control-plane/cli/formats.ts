/** `-o`: the same data as a table for people or as JSON, YAML or names for programs. */
import type { Arguments, Flags } from './arguments.ts';
import type { Context } from './context.ts';
import { paintFor } from './style.ts';
import { renderTable, type Table } from './table.ts';

export const formats = ['table', 'wide', 'json', 'yaml', 'name'] as const;
export type Format = (typeof formats)[number];

export const outputFlag = {
  output: { kind: 'choice', short: 'o', choices: formats, description: 'Form of the output.', default: 'table' },
} as const satisfies Flags;

export function formatOf(given: Arguments): Format {
  const text = given.text('output');
  return formats.find((format) => format === text) ?? 'table';
}

export interface Listing {
  readonly items: readonly unknown[];
  /** `service/shop/payments`, one per item. */
  readonly names: readonly string[];
  /** One was asked for by name: print the item itself, not a list of one. */
  readonly single: boolean;
  table(wide: boolean): Table;
}

export async function render(context: Context, format: Format, listing: Listing): Promise<string> {
  const value = listing.single ? listing.items[0] : { items: listing.items };
  switch (format) {
    case 'json':
      return `${JSON.stringify(value, undefined, 2)}\n`;
    case 'yaml':
      return toYaml(value);
    case 'name':
      return listing.names.map((name) => `${name}\n`).join('');
    case 'table':
    case 'wide':
      return renderTable(listing.table(format === 'wide'), paintFor(context, context.stdout));
  }
}

/** Keys sorted, so that two documents that say the same read the same. */
export async function toYaml(value: unknown): Promise<string> {
  const { stringify } = await import('yaml');
  return stringify(value, { sortMapEntries: true, lineWidth: 0 });
}
