/** The Go client of the case `grpc-go-unary`: built from go/ where there is a Go toolchain, into a folder that goes. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { configFile, findTool } from './tools.ts';

const buildDeadlineMs = 240_000;

export type BuiltClient = { readonly file: string } | { readonly absent: string };

export async function buildGoClient(folder: string): Promise<BuiltClient> {
  const go = findTool('go') ?? findTool('/usr/local/go/bin/go');
  if (go === null) return { absent: 'there is no Go toolchain on PATH (https://go.dev/dl)' };
  const source = configFile('go');
  const file = join(folder, 'grpc-go-client');
  try {
    await promisify(execFile)(go, ['build', '-o', file, '.'], { cwd: source, timeout: buildDeadlineMs });
    return { file };
  } catch (error) {
    return {
      absent: `its Go client cannot be built: ${(error instanceof Error ? error.message : String(error)).trim()}`,
    };
  }
}
