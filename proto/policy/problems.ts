/**
 * What is wrong with a policy, in words: where (a JSON pointer, and for YAML a line), what was found, what is allowed.
 * People fix a document in one go only when they see every error at once, so checks collect findings and never stop at
 * the first.
 */
export interface PolicyError {
  /** RFC 6901, for example /spec/inbound/rateLimits/0/rate; a missing field has the pointer it would have. */
  readonly pointer: string;
  readonly message: string;
  readonly hint?: string;
  /** 1-based; only when the source was text. */
  readonly line?: number;
  readonly column?: number;
}

/** An error before it is located in the text; `atKey` points at the name of the field, not at its value. */
export interface Finding {
  readonly pointer: string;
  readonly message: string;
  readonly hint?: string | undefined;
  readonly atKey?: boolean;
}

/** Beyond this, further errors help nobody and cost whoever has to carry them. */
export const errorsMax = 100;

export function toPolicyError(finding: Finding, position?: { line: number; column: number }): PolicyError {
  return {
    pointer: finding.pointer,
    message: finding.message,
    ...(finding.hint !== undefined && { hint: finding.hint }),
    ...(position && { line: position.line, column: position.column }),
  };
}

export function childPointer(pointer: string, name: string | number): string {
  return `${pointer}/${String(name).replaceAll('~', '~0').replaceAll('/', '~1')}`;
}

export function pointerTokens(pointer: string): string[] {
  if (pointer === '') return [];
  return pointer
    .slice(1)
    .split('/')
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The own member of an object or list; undefined for everything else. */
export function member(value: unknown, name: string): unknown {
  if (Array.isArray(value)) return /^[0-9]+$/.test(name) ? value[Number(name)] : undefined;
  return isRecord(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}

export function valueAt(root: unknown, pointer: string): unknown {
  let value = root;
  for (const token of pointerTokens(pointer)) value = member(value, token);
  return value;
}

const shownLength = 60;

/** A value as it should appear in a message: short, quoted, on one line. */
export function show(value: unknown): string {
  if (value === null) return 'null (an empty value)';
  if (Array.isArray(value)) return `a list of ${value.length}`;
  switch (typeof value) {
    case 'string':
      return value.length > shownLength ? `${JSON.stringify(value.slice(0, shownLength))}…` : JSON.stringify(value);
    case 'number':
    case 'boolean':
      return String(value);
    case 'undefined':
      return 'nothing';
    case 'object':
      return 'an object';
    default:
      return `a ${typeof value}`;
  }
}

/** `a`, `a or b`, `a, b or c`. */
export function listed(words: readonly string[], conjunction = 'or'): string {
  if (words.length < 2) return words.join('');
  return `${words.slice(0, -1).join(', ')} ${conjunction} ${words.at(-1)}`;
}

/** The word that was probably meant: at most a third of its letters differ, and never more than three. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  if (word.length > 64) return undefined;
  let best: string | undefined;
  let bestDistance = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    const allowed = Math.min(3, Math.max(1, Math.floor(candidate.length / 3)));
    if (distance <= allowed && distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Levenshtein's distance, one row at a time. */
function editDistance(left: string, right: string): number {
  let row = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let i = 1; i <= left.length; i++) {
    const next = [i];
    for (let j = 1; j <= right.length; j++) {
      const substitution = row[j - 1]! + (left[i - 1] === right[j - 1] ? 0 : 1);
      next.push(Math.min(substitution, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[right.length]!;
}
