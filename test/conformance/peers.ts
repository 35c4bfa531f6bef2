/**
 * Programs of others that the suites run, and where to find them: PATH, sbin, and where `go install` puts things.
 */
import { spawn } from 'node:child_process';
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { guardChild } from '../../control-plane/cli/child-guard.ts';
import type { Absent } from './suite.ts';

const goFolder = join(homedir(), 'go', 'bin');

const grpcModule = 'google.golang.org/grpc';
const interop = (part: 'client' | 'server'): string =>
  `cd "$(mktemp -d)" && go mod init peers && go get ${grpcModule}/interop/${part}@latest && ` +
  `go build -o ${join(goFolder, `grpc-interop-${part}`)} ${grpcModule}/interop/${part}`;

const howToGet: Readonly<Record<string, string>> = {
  h2spec: 'go install github.com/summerwind/h2spec/cmd/h2spec@v2.6.0',
  'grpc-interop-client': interop('client'),
  'grpc-interop-server': interop('server'),
  nghttp: 'apt-get install nghttp2-client',
  curl: 'apt-get install curl',
};

export const peerNames: readonly string[] = Object.keys(howToGet);

export function findPeer(name: string): string | null {
  for (const folder of [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin', goFolder]) {
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

export function absent(program: string): Absent {
  return { program, howToGet: howToGet[program] ?? '' };
}

/** Builds those peers that are missing and that Go can build; returns what could not be had. */
export async function buildMissing(): Promise<string[]> {
  const failures: string[] = [];
  for (const name of peerNames) {
    const command = howToGet[name]!;
    if (findPeer(name) !== null || !command.includes('go ')) continue;
    const scratch = mkdtempSync(join(tmpdir(), 'weir-peers-'));
    const result = await runPeer('/bin/sh', ['-c', command], { timeoutMs: 600_000, cwd: scratch });
    rmSync(scratch, { recursive: true, force: true });
    if (result.code !== 0) failures.push(`${name}: ${result.stderr.trim().split('\n').slice(-3).join(' ')}`);
  }
  return failures;
}

export interface PeerRun {
  /** null when it had to be ended. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end, or kills it at the time limit. */
export function runPeer(
  file: string,
  args: readonly string[],
  options: { readonly timeoutMs?: number; readonly input?: Buffer; readonly cwd?: string } = {},
): Promise<PeerRun> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe'], detached: true, cwd: options.cwd });
    guardChild(child);
    const parts = { stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      parts.stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      parts.stderr += text;
    });
    child.stdin.on('error', () => {});
    child.stdin.end(options.input ?? '');
    const timer = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs ?? 30_000);
    child.once('error', reject);
    child.once('close', (code) => {
      clearTimeout(timer);
      resolve({ code, ...parts });
    });
  });
}
