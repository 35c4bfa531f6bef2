/**
 * A unified diff of two texts, line by line. Myers' algorithm costs O((n+m)·d) and policies have tens of lines; what
 * is larger than the bound is shown as replaced whole instead of taking minutes.
 */
import { type Paint, plainPaint } from './style.ts';

export interface DiffLine {
  readonly kind: ' ' | '-' | '+';
  readonly text: string;
}

/** Above this many differing lines, everything counts as changed. */
export const differencesMax = 2000;

export function diffLines(before: readonly string[], after: readonly string[]): DiffLine[] {
  const trace: Map<number, number>[] = [];
  let furthest = new Map<number, number>([[1, 0]]);
  const most = Math.min(before.length + after.length, differencesMax);
  for (let d = 0; d <= most; d++) {
    trace.push(new Map(furthest));
    const next = new Map(furthest);
    for (let k = -d; k <= d; k += 2) {
      const down = k === -d || (k !== d && (furthest.get(k - 1) ?? -1) < (furthest.get(k + 1) ?? -1));
      let x = down ? (furthest.get(k + 1) ?? 0) : (furthest.get(k - 1) ?? 0) + 1;
      let y = x - k;
      while (x < before.length && y < after.length && before[x] === after[y]) {
        x++;
        y++;
      }
      next.set(k, x);
      if (x >= before.length && y >= after.length) return backtrack(trace, before, after);
    }
    furthest = next;
  }
  return [
    ...before.map((text): DiffLine => ({ kind: '-', text })),
    ...after.map((text): DiffLine => ({ kind: '+', text })),
  ];
}

function backtrack(trace: readonly Map<number, number>[], before: readonly string[], after: readonly string[]) {
  const lines: DiffLine[] = [];
  let x = before.length;
  let y = after.length;
  for (let d = trace.length - 1; d >= 0; d--) {
    const furthest = trace[d]!;
    const k = x - y;
    const down = k === -d || (k !== d && (furthest.get(k - 1) ?? -1) < (furthest.get(k + 1) ?? -1));
    const previousX = d === 0 ? 0 : (furthest.get(down ? k + 1 : k - 1) ?? 0);
    const previousY = d === 0 ? 0 : previousX - (down ? k + 1 : k - 1);
    while (x > previousX && y > previousY) {
      lines.push({ kind: ' ', text: before[--x]! });
      y--;
    }
    if (d === 0) break;
    if (down) lines.push({ kind: '+', text: after[--y]! });
    else lines.push({ kind: '-', text: before[--x]! });
  }
  return lines.reverse();
}

export interface DiffNames {
  readonly before: string;
  readonly after: string;
}

/** Empty when the texts are the same. */
export function unifiedDiff(before: string, after: string, names: DiffNames, paint: Paint = plainPaint): string {
  const lines = diffLines(split(before), split(after));
  if (lines.every(({ kind }) => kind === ' ')) return '';
  const context = 3;
  const shown = lines.map((_, at) =>
    lines.slice(Math.max(0, at - context), at + context + 1).some(({ kind }) => kind !== ' '),
  );
  const output = [paint('bold', `--- ${names.before}`), paint('bold', `+++ ${names.after}`)];
  let beforeLine = 1;
  let afterLine = 1;
  for (let at = 0; at < lines.length; at++) {
    if (shown[at] && !shown[at - 1]) {
      let end = at;
      while (shown[end]) end++;
      const hunk = lines.slice(at, end);
      const removed = hunk.filter(({ kind }) => kind !== '+').length;
      const added = hunk.filter(({ kind }) => kind !== '-').length;
      // A side without lines counts from the line before it.
      const from = (line: number, count: number): string => `${count === 0 ? line - 1 : line},${count}`;
      output.push(paint('cyan', `@@ -${from(beforeLine, removed)} +${from(afterLine, added)} @@`));
    }
    const { kind, text } = lines[at]!;
    if (shown[at]) output.push(paint(kind === '-' ? 'red' : kind === '+' ? 'green' : 'plain', `${kind}${text}`));
    if (kind !== '+') beforeLine++;
    if (kind !== '-') afterLine++;
  }
  return `${output.join('\n')}\n`;
}

const split = (text: string): string[] => (text === '' ? [] : text.replace(/\n$/, '').split('\n'));
