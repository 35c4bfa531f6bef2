/** What the benchmark borrows from the system, and where its own programs and configurations lie. */
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';

/** The full path of a program, or null. Debian keeps daemons in sbin, which is not on everyone's PATH. */
export function findTool(name: string): string | null {
  for (const folder of [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']) {
    const file = join(folder, name);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // Not here; the next folder may have it.
    }
  }
  return null;
}

/** Compiled programs lie beside this file: dist/test/bench, and the command line in dist/control-plane/cli. */
const distFolder = resolve(import.meta.dirname, '../..');

export function programFile(path: string): string {
  return join(distFolder, path);
}

/** Configurations are not compiled: they stay in the sources. */
export function configFile(name: string): string {
  for (const root of [join(distFolder, '..'), process.cwd()]) {
    const file = join(root, 'test/bench', name);
    if (existsSync(file)) return file;
  }
  throw new Error(`test/bench/${name} not found: run this from the project's folder`);
}
