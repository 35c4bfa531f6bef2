/**
 * Bundles the sidecar's entry points into dist/bundle: one file each instead of some four hundred modules. A sidecar is
 * started beside every pod and held in memory there; resolving and keeping its modules apart costs four times the start
 * and 30 MB. `dist/sidecar` stays as tsc wrote it, for tests and for reading a stack.
 *
 *   node deploy/local/bundle.mjs
 */
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const dist = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../dist');
const entries = { sidecar: 'sidecar/main.js', worker: 'sidecar/worker.js' };

const input = Object.fromEntries(
  Object.entries(entries)
    .map(([name, file]) => [name, path.join(dist, file)])
    .filter(([, file]) => fs.existsSync(file)),
);
const bundle = await rolldown({ input, platform: 'node', logLevel: 'warn', treeshake: { moduleSideEffects: true } });
fs.rmSync(path.join(dist, 'bundle'), { recursive: true, force: true });
await bundle.write({
  dir: path.join(dist, 'bundle'),
  format: 'esm',
  entryFileNames: '[name].js',
  minify: { mangle: false, compress: true, codegen: { removeWhitespace: true } },
});
await bundle.close();
