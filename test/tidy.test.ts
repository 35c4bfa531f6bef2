/**
 * The house keeps its own rules: DESIGN's "who may import whom", the purity of the deciding folders, and the form of
 * the files. Every rule is also fed something wrong, so that a rule that can no longer fail is itself a failure.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import * as rules from './support/tidy/rules.ts';
import { importsOf, scan } from './support/tidy/scanner.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const files = ['proto', 'sidecar', 'control-plane', 'deploy', 'test'].flatMap((folder) =>
  sourcesUnder(join(root, folder)),
);
const scripts = files.filter((file) => /\.(ts|tsx|mjs)$/.test(file.path));
const typed = scripts.filter((file) => !file.path.endsWith('.mjs'));

describe('the sources', () => {
  test('are found', () => {
    expect(typed.length).toBeGreaterThan(20);
  });
  test('import only what their layer may', () => expect(rules.importsAcrossLayers(typed)).toEqual([]));
  test('use no foreign packages in pure folders', () => expect(rules.foreignPackages(typed)).toEqual([]));
  test('read no clock, roll no dice, set no timers in pure folders', () =>
    expect(rules.impureWords(typed)).toEqual([]));
  test('have at most 400 lines a file', () => expect(rules.tooLong(files)).toEqual([]));
  test('import with the extension', () => expect(rules.importsWithoutExtension(typed)).toEqual([]));
  test('begin with a comment', () => expect(rules.withoutOpeningComment(scripts)).toEqual([]));
  test('silence no check', () => expect(rules.silencedChecks(scripts)).toEqual([]));
  test('import in no circles', () => expect(rules.importCycles(typed)).toEqual([]));
  test('lock no download addresses', () =>
    expect(rules.resolvedAddresses(readFileSync(join(root, 'package-lock.json'), 'utf8'))).toEqual([]));
});

const file = (path: string, text: string): rules.SourceFile => ({ path, text });
const importing = (path: string, specifier: string): rules.SourceFile[] => [file(path, `import '${specifier}';\n`)];

describe('the layer rule', () => {
  test.each([
    ['proto/subjects.ts', '../sidecar/app.ts'],
    ['sidecar/http2/connection.ts', '../admission/admission.ts'],
    ['sidecar/admission/admission.ts', '../resilience/breaker.ts'],
    ['sidecar/resilience/breaker.ts', '../routing/cluster.ts'],
    ['sidecar/routing/cluster.ts', '../io/pool.ts'],
    ['sidecar/exchange/inbound.ts', '../io/pool.ts'],
    ['sidecar/io/listener.ts', '../app.ts'],
    ['sidecar/app.ts', '../control-plane/app.ts'],
    ['control-plane/app.ts', '../sidecar/app.ts'],
    ['control-plane/fleet/aggregate.ts', '../nats/bus.ts'],
    ['control-plane/service/policies.ts', '../nats/store.ts'],
    ['control-plane/api/server.ts', '../nats/store.ts'],
    ['control-plane/cli/get.ts', '../api/server.ts'],
    ['control-plane/cli/sidecar.ts', '../../sidecar/app.ts'],
    ['deploy/local/main.ts', '../../test/support/until.ts'],
    ['elsewhere/file.ts', './other.ts'],
  ])('refuses %s importing %s', (path, specifier) => {
    expect(rules.importsAcrossLayers(importing(path, specifier))).toHaveLength(1);
  });

  test.each([
    ['sidecar/routing/cluster.ts', '../resilience/breaker.ts'],
    ['sidecar/exchange/inbound.ts', '../http2/connection.ts'],
    ['sidecar/io/listener.ts', '../exchange/inbound.ts'],
    ['sidecar/app.ts', './io/listener.ts'],
    ['control-plane/service/policies.ts', '../policy/revision.ts'],
  ])('lets %s import %s', (path, specifier) => {
    expect(rules.importsAcrossLayers(importing(path, specifier))).toEqual([]);
  });

  test('sees modules named by address, and lets only the command start a sidecar', () => {
    const start = (path: string) => [
      file(path, "await import(new URL('../../sidecar/main.js', import.meta.url).href);"),
    ];
    expect(rules.importsAcrossLayers(start('control-plane/cli/run.ts'))).toEqual([]);
    expect(rules.importsAcrossLayers(start('control-plane/api/run.ts'))).toHaveLength(1);
  });
});

describe('the package rule', () => {
  test.each([
    ['proto/subjects.ts', 'yaml'],
    ['proto/policy/parse.ts', 'nats'],
    ['sidecar/http2/connection.ts', 'node:net'],
    ['sidecar/admission/admission.ts', 'prom-client'],
    ['control-plane/service/policies.ts', 'node:fs'],
  ])('refuses %s importing %s', (path, specifier) => {
    expect(rules.foreignPackages(importing(path, specifier))).toHaveLength(1);
  });

  test.each([
    ['proto/policy/parse.ts', 'yaml'],
    ['proto/policy/schema.ts', 'typebox/value'],
    ['proto/fleet.ts', '@grpc/proto-loader'],
    ['sidecar/io/link.ts', 'nats'],
  ])('lets %s import %s', (path, specifier) => {
    expect(rules.foreignPackages(importing(path, specifier))).toEqual([]);
  });
});

describe('the purity rule', () => {
  test.each([
    'Date.now()',
    'new Date()',
    'performance.now()',
    'Math.random()',
    'setTimeout(f, 1)',
    'setInterval(f, 1)',
    'setImmediate(f)',
    'process.exit(1)',
    'console.log(1)',
    // What stands in a template's braces is code.
    ['`', '$', '{Date.now()}`'].join(''),
  ])('refuses %s', (code) => {
    expect(rules.impureWords([file('sidecar/admission/x.ts', `const a = ${code};`)])).toHaveLength(1);
    expect(rules.impureWords([file('sidecar/io/x.ts', `const a = ${code};`)])).toEqual([]);
  });

  test.each([
    '// Date.now() is banned',
    '/* setTimeout */',
    "const a = 'process.exit';",
    'const a = /Math.random/;',
    'const a = `Date.now`;',
    'const a = new Date(wallMs);',
    'this.process.start();',
  ])('lets pass %s', (code) => {
    expect(rules.impureWords([file('sidecar/admission/x.ts', code)])).toEqual([]);
  });
});

describe('the form rules', () => {
  test('refuse a file of 401 lines', () => {
    expect(rules.tooLong([file('a.ts', 'x\n'.repeat(400))])).toEqual([]);
    expect(rules.tooLong([file('a.ts', 'x\n'.repeat(401))])).toHaveLength(1);
  });
  test('refuse an import without .ts', () => {
    expect(rules.importsWithoutExtension(importing('proto/a.ts', './b'))).toHaveLength(1);
    expect(rules.importsWithoutExtension(importing('proto/a.ts', './b.js'))).toHaveLength(1);
  });
  test('refuse a file without an opening comment', () => {
    expect(rules.withoutOpeningComment([file('a.ts', 'export const a = 1;')])).toHaveLength(1);
    expect(rules.withoutOpeningComment([file('a.ts', '#!/usr/bin/env node\n/** Why. */')])).toEqual([]);
  });
  test('refuse a silenced check', () => {
    expect(rules.silencedChecks([file('a.ts', `// ${'@ts'}-ignore`)])).toHaveLength(1);
    expect(rules.silencedChecks([file('a.ts', `// ${'biome'}-ignore lint: x`)])).toHaveLength(1);
  });
  test('refuse a circle of imports, types included', () => {
    const circle = [
      file('proto/a.ts', "import type { B } from './b.ts';"),
      file('proto/b.ts', "export { C } from './c.ts';"),
      file('proto/c.ts', "import {\n  A,\n} from './a.ts';"),
    ];
    expect(rules.importCycles(circle)).toEqual(['proto/a.ts → proto/b.ts → proto/c.ts → proto/a.ts']);
  });
  test('refuse a lock with download addresses', () => {
    expect(rules.resolvedAddresses('{"resolved": "https://example.com/a.tgz"}')).toHaveLength(1);
  });
});

describe('the scanner', () => {
  test('finds every form of import and none in comments and strings', () => {
    const source = [
      "import a from './a.ts';",
      "import type { B } from './b.ts';",
      "export * from './c.ts';",
      "import './d.ts';",
      "const e = await import('./e.ts');",
      "// import './no.ts';",
      `const text = "import './no.ts'";`,
    ].join('\n');
    expect(importsOf(scan(source)).map(({ specifier, line }) => `${line} ${specifier}`)).toEqual([
      '1 ./a.ts',
      '2 ./b.ts',
      '3 ./c.ts',
      '4 ./d.ts',
      '5 ./e.ts',
    ]);
  });
  test('is not confused by quotes in regular expressions, divisions and nested templates', () => {
    const hole = (inside: string): string => ['$', '{', inside, '}'].join('');
    const template = `\`${hole(`\`${hole('c')}\``)} " \``;
    const { code } = scan(`const r = /['"\`/]/; const d = a / b; const t = ${template}; Date.now();`);
    expect(code).toContain('Date.now()');
    expect(code).toContain(hole('c'));
  });
});

function sourcesUnder(folder: string): rules.SourceFile[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter(
      (entry) => entry.isFile() && /\.(tsx?|mjs|css)$/.test(entry.name) && !entry.parentPath.includes('node_modules'),
    )
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => ({ path: relative(root, path).split(sep).join('/'), text: readFileSync(path, 'utf8') }));
}
