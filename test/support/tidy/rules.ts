/** The rules of the house over its sources. Each answers the violations as `file:line message`; none = tidy. */
import { posix } from 'node:path';
import { covers, layerOf } from './layers.ts';
import { importsOf, lineAt, type Scanned, scan } from './scanner.ts';

export interface SourceFile {
  /** From the root of the repository, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

export const linesMax = 400;

/** Scanned once per file and kept: every rule needs it. */
const scans = new WeakMap<SourceFile, Scanned>();
function scanned(file: SourceFile): Scanned {
  const known = scans.get(file) ?? scan(file.text);
  scans.set(file, known);
  return known;
}

const isRelative = (specifier: string): boolean => specifier.startsWith('.');

/** The path of a relative import from the root; `.js` addresses (of the build) name the `.ts` source, bundled or not. */
function resolved(file: SourceFile, specifier: string): string {
  const path = posix.normalize(posix.join(posix.dirname(file.path), specifier)).replace(/\.js$/, '.ts');
  return path === 'bundle/sidecar.ts' ? 'sidecar/main.ts' : path;
}

/** `@scope/name/sub` → `@scope/name`, `name/sub` → `name`; `node:` modules whole. */
function packageOf(specifier: string): string {
  if (specifier.startsWith('node:')) return specifier;
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

export function importsAcrossLayers(files: readonly SourceFile[]): string[] {
  return files.flatMap((file) => {
    const layer = layerOf(file.path);
    if (!layer) return [`${file.path}: stands in no layer of test/support/tidy/layers.ts`];
    return importsOf(scanned(file)).flatMap(({ specifier, line }) => {
      if (!isRelative(specifier)) return [];
      const target = resolved(file, specifier);
      const allowed = [layer.folder, ...layer.mayImport].some((folder) => covers(folder, target));
      return allowed ? [] : [`${file.path}:${line} ${layer.folder} may not import ${target}`];
    });
  });
}

export function foreignPackages(files: readonly SourceFile[]): string[] {
  return files.flatMap((file) => {
    const packages = layerOf(file.path)?.packages ?? [];
    if (packages === 'any') return [];
    return importsOf(scanned(file))
      .filter(({ specifier }) => !isRelative(specifier) && !packages.includes(packageOf(specifier)))
      .map(
        ({ specifier, line }) => `${file.path}:${line} may not import ${specifier} (allowed: ${packages.join(', ')})`,
      );
  });
}

const bannedInPure: readonly (readonly [RegExp, string])[] = [
  [/\bDate\s*\.\s*now\b/g, 'Date.now: time comes in as nowMs or wallMs'],
  [/\bnew\s+Date\s*\(\s*\)/g, 'new Date(): time comes in as nowMs or wallMs'],
  [/\bperformance\b/g, 'performance: time comes in as nowMs'],
  [/\bMath\s*\.\s*random\b/g, 'Math.random: randomness comes in as a seeded Random'],
  [/\b(?:setTimeout|setInterval|setImmediate)\b/g, 'timers belong to the edges'],
  [/(?<![.\w$])process\s*\./g, 'process belongs to the edges'],
  [/(?<![.\w$])console\s*\./g, 'logging belongs to the edges'],
];

export function impureWords(files: readonly SourceFile[]): string[] {
  return files
    .filter((file) => layerOf(file.path)?.pure)
    .flatMap((file) => {
      const { code } = scanned(file);
      return bannedInPure.flatMap(([word, message]) =>
        [...code.matchAll(word)].map((match) => `${file.path}:${lineAt(code, match.index)} ${message}`),
      );
    });
}

export function tooLong(files: readonly SourceFile[]): string[] {
  return files.flatMap((file) => {
    const lines = file.text.replace(/\n$/, '').split('\n').length;
    return lines > linesMax ? [`${file.path}: ${lines} lines, ${linesMax} is the end`] : [];
  });
}

export function importsWithoutExtension(files: readonly SourceFile[]): string[] {
  return files.flatMap((file) =>
    importsOf(scanned(file))
      .filter(({ specifier }) => isRelative(specifier) && !/\.(tsx?|css|mjs|json|svg)$/.test(specifier))
      // Only the command and the sidecar's worker threads, which run from the build, are named by a built address.
      .filter(
        ({ specifier }) =>
          !(file.path.startsWith('control-plane/cli/') && /(main|bundle\/sidecar)\.js$/.test(specifier)) &&
          !(file.path === 'sidecar/workers.ts' && specifier === './worker.js'),
      )
      .map(({ specifier, line }) => `${file.path}:${line} ${specifier} must end in .ts`),
  );
}

export function withoutOpeningComment(files: readonly SourceFile[]): string[] {
  return files
    .filter((file) => !/^(#!.*\n)?\s*(\/\*|\/\/)/.test(file.text))
    .map((file) => `${file.path}: begins without a comment that says what it is and why`);
}

export function silencedChecks(files: readonly SourceFile[]): string[] {
  const silencers = new RegExp(`${'biome'}-ignore|${'@ts'}-(?:ignore|expect-error|nocheck)`, 'g');
  return files.flatMap((file) =>
    [...file.text.matchAll(silencers)].map(
      (match) => `${file.path}:${lineAt(file.text, match.index)} silences a check: ${match[0]}`,
    ),
  );
}

/** Every circle once, as `a → b → a`. */
export function importCycles(files: readonly SourceFile[]): string[] {
  const known = new Map(files.map((file) => [file.path, file]));
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (file: SourceFile, trail: readonly string[]): void => {
    const at = trail.indexOf(file.path);
    if (at >= 0) {
      cycles.push([...trail.slice(at), file.path].join(' → '));
      return;
    }
    if (done.has(file.path)) return;
    for (const { specifier, byAddress } of importsOf(scanned(file))) {
      // Starting a program again is no import.
      if (byAddress) continue;
      const next = isRelative(specifier) ? known.get(resolved(file, specifier)) : undefined;
      if (next) visit(next, [...trail, file.path]);
    }
    done.add(file.path);
  };
  for (const file of files) visit(file, []);
  return cycles;
}

/** Where a package was downloaded from is the installer's business: a mirror's address must not be committed. */
export function resolvedAddresses(lock: string): string[] {
  return lock.includes('"resolved":') ? ['package-lock.json: contains "resolved" addresses'] : [];
}
