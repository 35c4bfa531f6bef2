/** `dlq ls`: one line a letter, the oldest first. */
import type { DeadLetterRow } from '../dead-letters.ts';
import { age } from '../numbers.ts';
import type { Cell, Table } from '../table.ts';

export function deadLettersTable(letters: readonly DeadLetterRow[], wallMs: number, wide: boolean): Table {
  const columns = ['NUMBER', 'SERVICE', 'DIED', 'REASON', 'ANSWER', 'DELIVERIES', 'REQUEST'];
  const wideColumns = ['REFERENCE', 'FROM', 'PARKED FOR', 'BYTES'];
  return {
    columns: wide ? [...columns, ...wideColumns] : columns,
    rows: letters.map((letter) => (wide ? [...cells(letter, wallMs), ...wideCells(letter)] : cells(letter, wallMs))),
  };
}

function cells(letter: DeadLetterRow, wallMs: number): Cell[] {
  const { sequence, target, diedAt, reason, answer, deliveries, method, path } = letter;
  const diedMs = Date.parse(diedAt);
  return [
    { text: String(sequence), style: 'bold' },
    target,
    Number.isNaN(diedMs) ? '' : `${age(Math.max(0, wallMs - diedMs))} ago`,
    reason,
    answer,
    String(deliveries),
    `${method} ${path}`,
  ];
}

function wideCells({ reference, from, parkedFor, bytes }: DeadLetterRow): Cell[] {
  return [reference, from, parkedFor, String(bytes)];
}
