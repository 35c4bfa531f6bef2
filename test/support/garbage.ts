/** Collects all garbage now, for tests of what stays alive; works without a flag on the command line. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const gc: unknown = runInNewContext('gc');

export function collectGarbage(): void {
  if (typeof gc !== 'function') throw new Error('this Node gives no access to its garbage collector');
  gc();
}
