/**
 * The corpus: small files, one input each, named by their hash, so that a file is never there twice. A unit test replays
 * all of them; whatever was once found stays found.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Files a target may have, and bytes of one: the whole corpus stays far below 1 MiB. */
export const corpusFilesMax = 90;
export const corpusInputBytesMax = 2048;

const fuzzFolder = join(projectRoot(import.meta.dirname), 'test/fuzz');
export const findingsFolder = join(fuzzFolder, 'findings');

export function readCorpus(target: string): Buffer[] {
  const folder = join(fuzzFolder, 'corpus', target);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .sort()
    .map((name) => readFileSync(join(folder, name)));
}

/** Adds inputs while there is room. Answers how many were new. */
export function addToCorpus(target: string, inputs: readonly Uint8Array[]): number {
  const folder = join(fuzzFolder, 'corpus', target);
  mkdirSync(folder, { recursive: true });
  const present = new Set(readdirSync(folder));
  let added = 0;
  for (const input of inputs) {
    const name = nameOf(input);
    if (present.has(name) || present.size >= corpusFilesMax || input.length > corpusInputBytesMax) continue;
    writeFileSync(join(folder, name), input);
    present.add(name);
    added++;
  }
  return added;
}

/** Answers the file's path. */
export function writeFinding(target: string, input: Uint8Array): string {
  mkdirSync(findingsFolder, { recursive: true });
  const file = join(findingsFolder, `${target}-${nameOf(input)}`);
  writeFileSync(file, input);
  return file;
}

function nameOf(input: Uint8Array): string {
  return createHash('sha256').update(input).digest('hex').slice(0, 16);
}

/** Compiled programs lie in dist, inputs in the sources. */
function projectRoot(from: string): string {
  if (existsSync(join(from, 'package.json'))) return from;
  const parent = dirname(from);
  if (parent === from) throw new Error('package.json not found: run this from the project’s folder');
  return projectRoot(parent);
}
