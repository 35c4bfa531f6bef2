/** What a run stands on: its cores, its scratch folder, its children; all of it gone when the run ends, however. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Case, loadCases } from './cases.ts';
import { type Certificate, makeCertificate } from './certificate.ts';
import { Children, findCores } from './children.ts';
import type { Rig } from './generators.ts';
import { buildGoClient } from './go-client.ts';
import { findTool } from './tools.ts';

export interface Surroundings {
  readonly rig: Rig;
  readonly certificate: Certificate | null;
  /** Cases that cannot be run here, and why. */
  readonly absent: ReadonlyMap<string, string>;
}

/** Why nothing can be measured here, or null. */
export function missingTools(): string | null {
  if (!existsSync('/proc/self/stat')) return 'The benchmark reads CPU times from /proc: it needs Linux.';
  const missing = ['h2load', 'nghttpd'].filter((tool) => findTool(tool) === null);
  if (missing.length === 0) return null;
  return `${missing.join(' and ')} not found. On Debian: apt-get install nghttp2-client nghttp2-server`;
}

export async function prepare(cases: readonly Case[], onInterrupt: () => void): Promise<Surroundings> {
  const scratchFolder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'weir-bench-'));
  process.on('exit', () => rmSync(scratchFolder, { recursive: true, force: true }));
  const children = new Children();
  const interrupt = (code: number) => {
    onInterrupt();
    void children.stopAll().finally(() => process.exit(code));
  };
  process.once('SIGINT', () => interrupt(130));
  process.once('SIGTERM', () => interrupt(143));
  const cores = findCores(findTool('taskset') !== null);
  pinMyself(cores.load);

  const loads = loadCases.filter(({ name }) => cases.some((wanted) => wanted.name === name));
  const absent = new Map<string, string>();
  let certificate: Certificate | null = null;
  const overTls = loads.filter(({ setting }) => setting.tls);
  if (overTls.length > 0) {
    try {
      certificate = makeCertificate(scratchFolder);
    } catch (error) {
      for (const { name } of overTls) absent.set(name, error instanceof Error ? error.message : String(error));
    }
  }
  let goClient: string | null = null;
  for (const { name } of loads.filter(({ load }) => load.kind === 'grpc-go')) {
    const built = await buildGoClient(scratchFolder);
    if ('file' in built) goClient = built.file;
    else absent.set(name, built.absent);
  }
  return { rig: { children, cores, scratchFolder, goClient }, certificate, absent };
}

/** The proxy's core is the proxy's: this process looks at clocks and /proc from the other one. */
function pinMyself(core: number | null): void {
  const taskset = findTool('taskset');
  if (core === null || taskset === null) return;
  execFileSync(taskset, ['-a', '-p', '-c', String(core), String(process.pid)], { stdio: 'ignore' });
}
