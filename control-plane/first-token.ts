/**
 * Shows the first token: on a terminal, or else in a file that only its owner can read. Never in the log, which goes to
 * places where many can read it.
 */
import { open, rename } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Log } from '../proto/kernel/log-format.ts';

export async function showFirstToken(token: string, expiresAt: string, file: string, log: Log): Promise<void> {
  if (process.stderr.isTTY) {
    process.stderr.write(`\n  The first token, shown only now, an admin until ${expiresAt}:\n\n    ${token}\n\n`);
    return;
  }
  const path = resolve(file);
  // Aside and then renamed: whatever stood there, perhaps a link to elsewhere, is not written through.
  const aside = `${path}.${process.pid}`;
  const handle = await open(aside, 'wx', 0o600);
  try {
    await handle.writeFile(`${token}\n`);
  } finally {
    await handle.close();
  }
  await rename(aside, path);
  log.info('the first token is in a file; make others by it, and delete it', { path, expiresAt });
}
