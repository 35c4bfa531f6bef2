/** Columns of text as kubectl prints them: padded by what is seen, coloured after padding, nothing behind the last. */
import { type Paint, plainPaint, type Style } from './style.ts';

export type Cell = string | { readonly text: string; readonly style: Style };

export interface Table {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
}

const textOf = (cell: Cell): string => oneLine(typeof cell === 'string' ? cell : cell.text);
const styleOf = (cell: Cell): Style => (typeof cell === 'string' ? 'plain' : cell.style);

/** Names and messages come from elsewhere: no control character of theirs may reach the terminal. */
function oneLine(text: string): string {
  return text.replaceAll(/\p{Cc}+/gu, ' ');
}

export function renderRows(table: Table, paint: Paint = plainPaint): string[] {
  const lines: (readonly Cell[])[] = [
    table.columns.map((column): Cell => ({ text: column, style: 'dim' })),
    ...table.rows,
  ];
  const widths = table.columns.map((_, at) => Math.max(...lines.map((cells) => [...textOf(cells[at] ?? '')].length)));
  return lines.map((cells) =>
    cells
      .map((cell, at) => {
        const text = textOf(cell);
        const padding = at === cells.length - 1 ? '' : ' '.repeat(widths[at]! - [...text].length);
        return paint(styleOf(cell), text) + padding;
      })
      .join('   '),
  );
}

export function renderTable(table: Table, paint: Paint = plainPaint): string {
  return `${renderRows(table, paint).join('\n')}\n`;
}
