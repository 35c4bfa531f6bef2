/** A folder for one test, removed at the latest when the test process is gone, even when it was killed. */
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { forgetFolder, guardFolder } from '../../control-plane/cli/child-guard.ts';

export interface TempDir {
  readonly path: string;
  remove(): void;
}

export function tempDir(name = 'test'): TempDir {
  const path = realpathSync(mkdtempSync(join(tmpdir(), `weir-${name}-`)));
  guardFolder(path);
  return {
    path,
    remove() {
      rmSync(path, { recursive: true, force: true, maxRetries: 3 });
      forgetFolder(path);
    },
  };
}
