/**
 * `weir sidecar` and `weir control-plane`: one binary for everything. The programs are named by their address in the
 * build, so that neither is loaded by the other's command, and read their own options, `--help` too. The sidecar is the
 * bundled one (deploy/local/bundle.mjs): it starts in a third of the time and holds 30 MB less.
 */
import type { Program } from '../command.ts';

type Main = (argv: string[], env: NodeJS.ProcessEnv) => Promise<number>;

export const sidecar: Program = {
  start: (argv) => start(new URL('../../../bundle/sidecar.js', import.meta.url), argv),
};

export const controlPlane: Program = {
  start: (argv) => start(new URL('../../main.js', import.meta.url), argv),
};

async function start(program: URL, argv: readonly string[]): Promise<number> {
  const loaded: unknown = await import(program.href);
  if (!hasMain(loaded)) throw new Error(`${program.pathname} exports no main()`);
  return loaded.main([...argv], process.env);
}

function hasMain(loaded: unknown): loaded is { main: Main } {
  return typeof loaded === 'object' && loaded !== null && 'main' in loaded && typeof loaded.main === 'function';
}
