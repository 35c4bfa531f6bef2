/**
 * YAML text to plain values that remember where they stood. The text may come from anybody, so the reading is bounded:
 * in bytes, documents, values after aliases are expanded (a "billion laughs" is nine short lines) and depth. The tree
 * is converted here and not by the library, whose own conversion compares every key of a mapping with every other one
 * and forgets positions.
 */
import {
  Composer,
  type CST,
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  type Node,
  type Pair,
  Parser,
  type YAMLMap,
} from 'yaml';
import { childPointer, errorsMax, type Finding, type PolicyError, pointerTokens, toPolicyError } from './problems.ts';

export const sourceBytesMax = 1024 * 1024;
export const documentsMax = 1000;
/** Values of all documents together, aliases counted as often as they are used. */
export const sourceValuesMax = 200_000;
/** A policy is 7 deep; the rest is somebody else's idea. */
export const sourceDepthMax = 32;

/** The parser opens at most a few tokens per level. */
const openTokensMax = 8 * sourceDepthMax;

export interface SourceDocument {
  readonly value: unknown;
  /** Adds line and column: of the value, or of its nearest ancestor that was written. */
  locate(finding: Finding): PolicyError;
}

export interface SourceText {
  readonly documents: readonly SourceDocument[];
  readonly errors: readonly PolicyError[];
}

type Anchors = ReadonlyMap<string, Node>;

export function readYaml(text: string): SourceText {
  if (text.length > sourceBytesMax || Buffer.byteLength(text) > sourceBytesMax) {
    return { documents: [], errors: [{ pointer: '', message: 'the text is larger than 1 MiB' }] };
  }
  const lines = new LineCounter();
  const documents: SourceDocument[] = [];
  const errors: PolicyError[] = [];
  const at = (offset: number): { line: number; column: number } => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const budget = { values: sourceValuesMax };
  let count = 0;
  try {
    // uniqueKeys is quadratic in the library; the conversion below finds duplicates with a set.
    const composer = new Composer({ uniqueKeys: false, logLevel: 'error', prettyErrors: false });
    for (const document of composer.compose(tokensOf(text, lines))) {
      count++;
      if (count > documentsMax) {
        const position = at(document.range[0]);
        errors.push(toPolicyError({ pointer: '', message: `more than ${documentsMax} documents` }, position));
        break;
      }
      for (const error of document.errors.slice(0, errorsMax)) {
        errors.push(toPolicyError({ pointer: '', message: `not valid YAML: ${error.message}` }, at(error.pos[0])));
      }
      if (document.errors.length > 0 || document.contents === null || isEmpty(document)) continue;
      const conversion = new Conversion(budget);
      const value = conversion.valueOf(document.contents, '', 0);
      const source = new ComposedDocument(value, document.contents, conversion.anchors, at);
      for (const finding of conversion.findings) errors.push(source.locate(finding));
      if (conversion.findings.length === 0) documents.push(source);
      if (errors.length >= errorsMax) break;
    }
  } catch (error) {
    // The library is not meant to throw; when it does, the text is refused like any other that cannot be read.
    errors.push({ pointer: '', message: `not readable as YAML: ${String(error)}`.slice(0, 200) });
  }
  return { documents, errors: errors.slice(0, errorsMax) };
}

/** The library builds documents by recursion, so depth is bounded on the way in, before it can exhaust the stack. */
function* tokensOf(text: string, lines: LineCounter): Generator<CST.Token> {
  const parser = new Parser(lines.addNewLine);
  lines.addNewLine(0);
  for (const lexeme of new Lexer().lex(text)) {
    yield* parser.next(lexeme);
    if (parser.stack.length > openTokensMax) throw new TooDeep(`it is nested more than ${sourceDepthMax} deep`);
  }
  yield* parser.end();
}

class TooDeep extends Error {
  override toString(): string {
    return this.message;
  }
}

/** Nothing but comments, or nothing at all between two separators. */
function isEmpty(document: Document.Parsed): boolean {
  return isScalar(document.contents) && document.contents.value === null && document.contents.source === '';
}

/** One walk from nodes to values: collects anchors on the way, so that each alias sees the anchor before it. */
class Conversion {
  readonly anchors = new Map<string, Node>();
  readonly findings: Finding[] = [];
  private readonly budget: { values: number };
  private stopped = false;

  constructor(budget: { values: number }) {
    this.budget = budget;
  }

  valueOf(node: unknown, pointer: string, depth: number): unknown {
    if (this.stopped) return null;
    if (--this.budget.values < 0)
      return this.stop(pointer, `has more than ${sourceValuesMax} values, aliases expanded`);
    if (depth > sourceDepthMax) return this.stop(pointer, `is nested more than ${sourceDepthMax} deep`);
    if (!isNode(node)) return null;
    if (isAlias(node)) {
      const target = this.anchors.get(node.source);
      if (target) return this.valueOf(target, pointer, depth + 1);
      return this.stop(pointer, `the alias *${node.source} has no anchor before it`);
    }
    if ((isScalar(node) || isMap(node) || isSeq(node)) && node.anchor) this.anchors.set(node.anchor, node);
    if (isMap(node)) return this.objectOf(node, pointer, depth);
    if (isSeq(node))
      return node.items.map((item, index) => this.valueOf(item, childPointer(pointer, index), depth + 1));
    return isScalar(node) ? node.value : null;
  }

  private objectOf(map: YAMLMap, pointer: string, depth: number): unknown {
    const entries = new Map<string, unknown>();
    for (const { key, value } of map.items) {
      if (this.stopped) break;
      const name = keyName(key);
      if (name === undefined) return this.stop(pointer, 'has a key that is not text');
      const child = childPointer(pointer, name);
      if (entries.has(name)) {
        this.findings.push({
          pointer: child,
          message: `the field ${JSON.stringify(name)} is written twice`,
          atKey: true,
        });
        if (this.findings.length >= errorsMax) this.stopped = true;
      }
      entries.set(name, this.valueOf(value, child, depth + 1));
    }
    return Object.fromEntries(entries);
  }

  private stop(pointer: string, message: string): null {
    this.stopped = true;
    this.findings.push({ pointer, message });
    return null;
  }
}

function keyName(key: unknown): string | undefined {
  return isScalar(key) ? String(key.value ?? '') : undefined;
}

class ComposedDocument implements SourceDocument {
  readonly value: unknown;
  private readonly root: Node;
  private readonly anchors: Anchors;
  private readonly at: (offset: number) => { line: number; column: number };

  constructor(value: unknown, root: Node, anchors: Anchors, at: (offset: number) => { line: number; column: number }) {
    this.value = value;
    this.root = root;
    this.anchors = anchors;
    this.at = at;
  }

  locate(finding: Finding): PolicyError {
    return toPolicyError(finding, this.at(this.offsetOf(finding)));
  }

  /** A scalar is found at its value, everything larger at its key, where a reader looks for it. */
  private offsetOf(finding: Finding): number {
    let node: unknown = this.root;
    let offset = this.root.range?.[0] ?? 0;
    for (const token of pointerTokens(finding.pointer)) {
      if (isAlias(node)) node = this.anchors.get(node.source);
      const pair: Pair | undefined = isMap(node)
        ? node.items.findLast((item) => keyName(item.key) === token)
        : undefined;
      const next: unknown = isSeq(node) ? node.items[Number(token)] : pair?.value;
      const keyOffset = pair && isNode(pair.key) ? pair.key.range?.[0] : undefined;
      const valueOffset = isNode(next) ? next.range?.[0] : undefined;
      const wantsKey = finding.atKey === true || !isScalar(next) || next.source === '';
      const found = wantsKey ? (keyOffset ?? valueOffset) : (valueOffset ?? keyOffset);
      if (found === undefined) break;
      offset = found;
      node = next;
    }
    return offset;
  }
}
