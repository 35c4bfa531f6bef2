/**
 * The rig in real time: the same experiment, with processes, sockets and the machine's clock.
 *
 *   callers (here) ──▶ [sidecars of the callers] ──▶ sidecar, Envoy or haproxy ──▶ app (a process each)
 *
 * Callers and apps are the simulation's. The apps work by timers and take next to no CPU, so the two cores of a small
 * machine carry ten times the load.
 */
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { distFolder } from '../../support/process.ts';
import { Recording, type ServiceRecord } from '../recording.ts';
import type { CallerSpec, Experiment, PolicyParts, Rig } from '../scenario.ts';
import { Caller } from '../sim/caller.ts';
import { Program, text } from './processes.ts';
import { type Chain, type ChainKind, peers, weirChain } from './proxies.ts';
import { clockBeginMs, RealTime } from './real-time.ts';
import { RemoteDoor } from './remote-door.ts';
import { Usage } from './usage.ts';

/** From everything being connected to the begin. */
const leadMs = 100;
/** After the last request, so that what is under way can end. */
const settleMs = 1000;

export const liveRig = (kind: ChainKind): Rig => ({
  live: true,
  run: (experiment, policies, seed) => run(kind, experiment, policies, seed),
});

export const liveWeir: Rig = liveRig(weirChain);

/** What Weir is compared with, live only. */
export const livePeers = peers.map((kind) => ({
  name: kind.name,
  summary: kind.summary,
  absent: kind.absent(),
  rig: liveRig(kind),
}));

async function run(
  kind: ChainKind,
  experiment: Experiment,
  policies: ReadonlyMap<string, PolicyParts>,
  seed: number,
): Promise<Recording> {
  const apps = experiment.services.flatMap(({ name, replicas }) =>
    replicas.map((spec, i) => ({ service: name, program: startApp(spec, `${name}-${i}`, seed, experiment) })),
  );
  let chain: Chain | null = null;
  const opened: RemoteDoor[] = [];
  try {
    const addresses = new Map<string, string[]>();
    for (const { service, program } of apps) {
      const address = text(await program.said('listening'), 'address');
      addresses.set(service, [...(addresses.get(service) ?? []), address]);
    }
    chain = await kind.start({ experiment, policies, apps: addresses });
    const recording = new Recording(experiment.durationMs);
    const originMs = await begin(
      experiment,
      chain,
      recording,
      seed,
      opened,
      apps.map(({ program }) => program),
    );
    const usage = new Usage(recording, chain.programs, originMs);
    await delay(originMs + experiment.durationMs + settleMs - performance.now());
    usage.stop();
    for (const { service, program } of apps) await collect(program, recording.service(service));
    countOpenings(chain, recording, performance.timeOrigin + originMs);
    return recording;
  } finally {
    for (const door of opened) door.close();
    for (const { program } of apps) program.kill();
    chain?.stop();
  }
}

/** Opens the doors, sets the begin, and answers when it is. */
async function begin(
  experiment: Experiment,
  chain: Chain,
  recording: Recording,
  seed: number,
  opened: RemoteDoor[],
  apps: readonly Program[],
): Promise<number> {
  let stage: RealTime | null = null;
  const catchUp = (): void => stage?.catchUp();
  const doorsOf = new Map<CallerSpec, RemoteDoor[]>();
  for (const caller of experiment.callers) {
    const own = chain.doorsOf(caller).map((address) => ({ address, door: new RemoteDoor(catchUp) }));
    opened.push(...own.map(({ door }) => door));
    await Promise.all(own.map(({ address, door }) => door.open(address)));
    doorsOf.set(
      caller,
      own.map(({ door }) => door),
    );
  }
  const originMs = performance.now() + leadMs;
  for (const app of apps) app.tell(String(clockBeginMs() + originMs));
  stage = new RealTime(seed, recording, originMs);
  for (const [caller, doors] of doorsOf) {
    new Caller(
      stage,
      caller,
      experiment.durationMs,
      doors.map(({ accept }) => accept),
    );
  }
  return originMs;
}

function startApp(spec: unknown, name: string, seed: number, { durationMs }: Experiment): Program {
  const file = resolve(distFolder, 'test/lab/live/app-server.js');
  return new Program(`app ${name}`, process.execPath, [
    file,
    JSON.stringify(spec),
    name,
    String(seed),
    String(durationMs),
  ]);
}

async function collect(program: Program, into: ServiceRecord): Promise<void> {
  program.endInput();
  const said = await program.said('record');
  for (const field of ['finished', 'begun'] as const) {
    const counts: unknown = said[field];
    if (!Array.isArray(counts)) continue;
    for (const [bin, count] of counts.entries()) into[field][bin]! += Number(count);
  }
}

/** Breakers that opened, as the sidecars' logs say. */
function countOpenings(chain: Chain, recording: Recording, originWallMs: number): void {
  for (const { lines } of chain.programs) {
    for (const line of lines) {
      if (line.msg !== 'breaker' || line.to !== 'open') continue;
      const record = recording.service(text(line, 'target').split('/')[1] ?? '');
      record.count(record.opened, Math.max(0, Date.parse(text(line, 'at')) - originWallMs));
    }
  }
}
