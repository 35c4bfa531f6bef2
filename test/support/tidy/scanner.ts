/**
 * Just enough reading of TypeScript for the tidy rules: what is code, what is comment, what is string, and which
 * modules a file imports. TypeScript 7 has no JavaScript API to ask, and a lexer of one screen is enough for sources
 * that the compiler has accepted.
 */

export interface Scanned {
  /** The text with comments blanked; line breaks stay, so that line numbers hold. */
  readonly withoutComments: string;
  /** With the insides of strings and regular expressions blanked as well: only code. */
  readonly code: string;
}

export interface Import {
  readonly specifier: string;
  readonly line: number;
  /** Named by its address, `new URL('./main.js', import.meta.url)`: imported late, or started as a process. */
  readonly byAddress: boolean;
}

type Mode = 'code' | 'line-comment' | 'block-comment' | 'single' | 'double' | 'template' | 'regex' | 'regex-class';

/** Before these a slash begins a regular expression; after anything else it divides. */
const beforeRegex = /(?:^|[(,=:[!&|?{};+\-*%<>~^]|\b(?:return|typeof|case|in|of|do|else|void|delete|await|yield))\s*$/;

export function scan(source: string): Scanned {
  let withoutComments = '';
  let code = '';
  let mode: Mode = 'code';
  /** Depths of braces at which a template's `${` was opened. */
  const templates: number[] = [];
  let depth = 0;
  for (let at = 0; at < source.length; at++) {
    const char = source[at]!;
    const pair = source.slice(at, at + 2);
    const blank = char === '\n' ? '\n' : ' ';
    const put = (comment: boolean, inside: boolean): void => {
      withoutComments += comment ? blank : char;
      code += comment || inside ? blank : char;
    };
    const putEscape = (): void => {
      withoutComments += pair;
      code += source[at + 1] === '\n' ? ' \n' : '  ';
      at++;
    };
    switch (mode) {
      case 'code':
        if (pair === '//') mode = 'line-comment';
        else if (pair === '/*') mode = 'block-comment';
        if (mode !== 'code') {
          withoutComments += '  ';
          code += '  ';
          at++;
          break;
        }
        if (char === '/' && beforeRegex.test(code.slice(-40).split('\n').at(-1) ?? '')) mode = 'regex';
        else if (char === "'") mode = 'single';
        else if (char === '"') mode = 'double';
        else if (char === '`') mode = 'template';
        else if (char === '{') depth++;
        else if (char === '}') {
          depth--;
          if (templates.at(-1) === depth) {
            templates.pop();
            mode = 'template';
          }
        }
        put(false, false);
        break;
      case 'line-comment':
        if (char === '\n') mode = 'code';
        put(true, true);
        break;
      case 'block-comment':
        if (pair === '*/') {
          mode = 'code';
          withoutComments += '  ';
          code += '  ';
          at++;
        } else put(true, true);
        break;
      case 'single':
      case 'double': {
        const end = mode === 'single' ? "'" : '"';
        if (char === '\\') putEscape();
        else {
          if (char === end) mode = 'code';
          put(false, char !== end);
        }
        break;
      }
      case 'template':
        if (char === '\\') putEscape();
        else if (pair === '${') {
          templates.push(depth);
          depth++;
          mode = 'code';
          withoutComments += pair;
          code += pair;
          at++;
        } else {
          if (char === '`') mode = 'code';
          put(false, char !== '`');
        }
        break;
      case 'regex':
      case 'regex-class':
        if (char === '\\') putEscape();
        else {
          if (char === '[') mode = 'regex-class';
          else if (char === ']') mode = 'regex';
          else if (char === '/' && mode === 'regex') mode = 'code';
          put(false, mode !== 'code');
        }
        break;
      default:
        mode satisfies never;
    }
  }
  return { withoutComments, code };
}

const importForms = [
  /\b(?:import|export)\s+(?:type\s+)?[\w*{}\s,$]*?\bfrom\s*['"]([^'"\n]+)['"]/g,
  /\bimport\s*['"]([^'"\n]+)['"]/g,
  /\bimport\s*\(\s*['"`]([^'"`\n]+)['"`]/g,
];

const addressForm = /\bnew\s+URL\(\s*['"`]([^'"`\n]+\.[jt]s)['"`]\s*,\s*import\.meta\.url/g;

/** Every module the file names, static or dynamic, types included. */
export function importsOf(scanned: Scanned): Import[] {
  const found: Import[] = [];
  for (const form of [...importForms, addressForm]) {
    for (const match of scanned.withoutComments.matchAll(form)) {
      // Inside a string it is an example, not an import.
      if (scanned.code.slice(match.index, match.index + 3) !== match[0].slice(0, 3)) continue;
      found.push({
        specifier: match[1]!,
        line: lineAt(scanned.code, match.index + match[0].length),
        byAddress: form === addressForm,
      });
    }
  }
  return found.sort((a, b) => a.line - b.line);
}

export function lineAt(text: string, index: number): number {
  return text.slice(0, index).split('\n').length;
}
