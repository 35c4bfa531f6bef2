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
const folder = path.join(dist, 'bundle');
fs.rmSync(folder, { recursive: true, force: true });
const { output } = await bundle.generate({
  format: 'esm',
  entryFileNames: '[name].js',
  minify: { mangle: false, compress: true, codegen: { removeWhitespace: true } },
});
await bundle.close();
fs.mkdirSync(folder, { recursive: true });
for (const chunk of output) fs.writeFileSync(path.join(folder, chunk.fileName), inAscii(chunk.code));

/** One character beyond ASCII makes V8 keep the whole source in two bytes a character: 2 MB for nothing. */
function inAscii(code) {
  return code.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
