/**
 * The last applied bundle of each target on disk, so that a restart without NATS obeys what was obeyed before. A file is
 * replaced as a whole (write aside, fsync, rename) and begins with its checksum: what a crash or a disk left damaged is
 * ignored with a line in the log, never half obeyed. One file per target, a bounded number of them.
 *
 * Reading is synchronous: it happens at the start and at the first use of a target, and the answer must stand before the
 * first request. Writing is not, one at a time, and of several waiting bundles of a target only the last is written.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { parseServiceKey } from '../../../proto/subjects.ts';
import type { Log } from './mesh.ts';

export const knownGoodFilesMax = 1024;
const suffix = '.bundle';
const asideSuffix = '.writing';

export class LastKnownGood {
  private readonly dir: string;
  private readonly log: Log;
  private readonly filesMax: number;
  private readonly waiting = new Map<string, string>();
  private writing: Promise<void> | null = null;

  constructor(dir: string, log: Log, filesMax = knownGoodFilesMax) {
    this.dir = dir;
    this.log = log;
    this.filesMax = filesMax;
    try {
      mkdirSync(dir, { recursive: true, mode: 0o700 });
    } catch (error) {
      log('warn', 'cannot keep bundles on disk', { dir, reason: String(error) });
    }
  }

  /** The text that was saved; undefined when there is none that is whole. */
  load(target: string): string | undefined {
    const path = this.path(target);
    let content: string;
    try {
      content = readFileSync(path, 'utf8');
    } catch (error) {
      if (!isMissing(error))
        this.log('warn', 'cannot read the last known good bundle', { path, reason: String(error) });
      return undefined;
    }
    const end = content.indexOf('\n');
    const text = content.slice(end + 1);
    if (end > 0 && content.slice(0, end) === checksum(text)) return text;
    this.log('warn', 'ignoring a damaged last known good bundle', { path });
    return undefined;
  }

  /** Wall time of the last save; undefined when there was none. */
  savedAtMs(target: string): number | undefined {
    try {
      return statSync(this.path(target)).mtimeMs;
    } catch {
      return undefined;
    }
  }

  save(target: string, text: string): void {
    this.waiting.set(target, text);
    this.writing ??= this.writeAll();
  }

  /** Once everything saved so far is on disk. */
  async settled(): Promise<void> {
    while (this.writing) await this.writing;
  }

  private async writeAll(): Promise<void> {
    for (let next = takeFirst(this.waiting); next; next = takeFirst(this.waiting)) {
      const [target, text] = next;
      try {
        await this.write(this.path(target), text);
      } catch (error) {
        this.log('warn', 'cannot keep the bundle on disk', { target, reason: String(error) });
      }
    }
    this.writing = null;
  }

  private async write(path: string, text: string): Promise<void> {
    await this.makeRoom(path);
    const aside = path + asideSuffix;
    const file = await open(aside, 'w', 0o600);
    try {
      await file.writeFile(`${checksum(text)}\n${text}`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(aside, path);
    // The rename itself is on disk only once the folder is.
    const folder = await open(this.dir, 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }

  /** At the bound the file that was not written for the longest time goes. */
  private async makeRoom(path: string): Promise<void> {
    const names = (await readdir(this.dir)).filter((name) => name.endsWith(suffix));
    if (names.length < this.filesMax || names.some((name) => join(this.dir, name) === path)) return;
    const files = await Promise.all(
      names.map(async (name) => ({ name, writtenMs: (await stat(join(this.dir, name))).mtimeMs })),
    );
    files.sort((a, b) => a.writtenMs - b.writtenMs);
    for (const { name } of files.slice(0, names.length - this.filesMax + 1))
      await rm(join(this.dir, name), { force: true });
  }

  /** Service keys are DNS labels: no name can lead out of the folder. */
  private path(target: string): string {
    const name = parseServiceKey(target);
    if (!name) throw new RangeError(`${target} is not <namespace>/<service>`);
    return join(this.dir, `${name.namespace}.${name.service}${suffix}`);
  }
}

function checksum(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

function takeFirst(map: Map<string, string>): [string, string] | undefined {
  for (const entry of map) {
    map.delete(entry[0]);
    return entry;
  }
  return undefined;
}
