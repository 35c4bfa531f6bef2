/** The origins: one program for each kind of load, on the generator's core, started when a case first wants it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Load, staticFiles } from './cases.ts';
import { freePort, untilListening } from './children.ts';
import type { Rig } from './generators.ts';
import { printedPort } from './proxies.ts';
import { findTool, programFile } from './tools.ts';

const startDeadlineMs = 10_000;

export type OriginKind = 'static' | 'frames' | 'grpc';

export function originOf(load: Load): OriginKind {
  switch (load.kind) {
    case 'file':
      return 'static';
    case 'unique':
      return 'frames';
    case 'grpc-js':
    case 'grpc-go':
      return 'grpc';
  }
}

export class Origins {
  private readonly rig: Rig;
  private readonly ports = new Map<OriginKind, Promise<number>>();

  constructor(rig: Rig) {
    this.rig = rig;
  }

  port(kind: OriginKind): Promise<number> {
    const known = this.ports.get(kind);
    if (known !== undefined) return known;
    const started = kind === 'static' ? startStatic(this.rig) : startFrames(this.rig, kind === 'grpc');
    this.ports.set(kind, started);
    return started;
  }
}

async function startStatic(rig: Rig): Promise<number> {
  for (const { name, bytes } of staticFiles) writeFileSync(join(rig.scratchFolder, name), Buffer.alloc(bytes, 'x'));
  const port = await freePort();
  const args = ['--no-tls', '--address=127.0.0.1', `--htdocs=${rig.scratchFolder}`, String(port)];
  const origin = rig.children.start(findTool('nghttpd') ?? 'nghttpd', args, { core: rig.cores.load });
  await untilListening(origin, port, startDeadlineMs);
  return port;
}

function startFrames(rig: Rig, isGrpc: boolean): Promise<number> {
  const command = [programFile('test/bench/frame-origin.js'), ...(isGrpc ? ['--grpc'] : [])];
  const origin = rig.children.start(process.execPath, command, { core: rig.cores.load });
  return origin.firstLine(printedPort, startDeadlineMs);
}
