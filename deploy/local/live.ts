/** The live demo: tells the story of phases.ts until it is told to stop, and shows it once a second. */
import { createServer } from 'node:http';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { InstanceView, ServiceView } from '../../proto/api.ts';
import type { Load } from './load.ts';
import type { DemoMesh } from './mesh.ts';
import { type Phase, phases } from './phases.ts';
import { namespace, topology } from './topology.ts';
import type { View } from './view.ts';

export interface LiveOptions {
  readonly mesh: DemoMesh;
  readonly load: Load;
  readonly view: View;
  readonly signal: AbortSignal;
}

const frameMs = 1_000;

export async function runLive(options: LiveOptions): Promise<void> {
  const { mesh, load, view, signal } = options;
  const desk = await openDesk(mesh);
  const startMs = performance.now();
  view.say(`
  Dashboard  ${mesh.api.url}/
  API        ${mesh.api.url}/v1/services
  Logs       ${mesh.logsDir}

  Paste in another terminal, and watch:
    npx weir apply -f deploy/local/policies/tight.yaml --server ${mesh.api.url}
    curl -X POST '${desk.url}/payments?slow=4'      # back: curl -X POST ${desk.url}/payments
    npx weir get services --server ${mesh.api.url}
`);
  try {
    for (let round = 0; !signal.aborted; round++) {
      const phase = phases[round % phases.length]!;
      view.say(`▸ ${phase.announcement}`);
      await phase.begin({ load, mesh });
      await showPhase(phase, startMs, options);
    }
  } finally {
    desk.close();
  }
}

async function showPhase(phase: Phase, startMs: number, { mesh, load, view, signal }: LiveOptions): Promise<void> {
  const phaseStartMs = performance.now();
  for (let second = 1; second <= phase.forSeconds && !signal.aborted; second++) {
    const without = load.watch('without');
    const withWeir = load.watch('with');
    const untilMs = phaseStartMs + second * frameMs;
    await sleep(Math.max(0, untilMs - performance.now()), undefined, { signal }).catch(ignoreAbort);
    const nowMs = performance.now();
    load.unwatch(without);
    load.unwatch(withWeir);
    if (signal.aborted) return;
    const { payments, breakers } = await fleetState(mesh);
    view.draw({
      elapsedSeconds: Math.round((nowMs - startMs) / 1_000),
      phase: phase.name,
      secondsLeft: phase.forSeconds - second,
      offeredPerSecond: load.paymentsPerSecond,
      capacityPerSecond: phase.capacity(mesh),
      without: without,
      with: withWeir,
      nowMs,
      payments,
      breakers,
    });
  }
}

async function fleetState(mesh: DemoMesh): Promise<{ payments: ServiceView | undefined; breakers: string }> {
  try {
    const [services, instances] = await Promise.all([mesh.api.services(), mesh.api.instances()]);
    return { payments: services.find(({ service }) => service === 'payments'), breakers: breakersOf(instances) };
  } catch {
    // Shown as a dash: the demo goes on without a control plane, as the mesh does.
    return { payments: undefined, breakers: '–' };
  }
}

/** "open 4 (fleet)", or "closed 3, open 1" while callers disagree. */
function breakersOf(instances: readonly InstanceView[]): string {
  const counts = new Map<string, number>();
  for (const { breakers } of instances) {
    for (const breaker of breakers) {
      if (breaker.target !== `${namespace}/payments`) continue;
      const byFleet = breaker.fleet !== 'closed';
      const state = byFleet ? `${breaker.fleet} (fleet)` : breaker.local;
      counts.set(state, (counts.get(state) ?? 0) + 1);
    }
  }
  return counts.size === 0 ? '–' : [...counts].map(([state, count]) => `${state} ${count}`).join(', ');
}

function ignoreAbort(error: unknown): void {
  if (!(error instanceof Error && error.name === 'AbortError')) throw error;
}

interface Desk {
  readonly url: string;
  close(): void;
}

/** One door for faults: `POST /payments?fail=60&slow=2` reaches every instance of that service, on both sides. */
async function openDesk(mesh: DemoMesh): Promise<Desk> {
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://desk');
    const spec = topology.find(({ kind }) => url.pathname === `/${kind}`);
    const failPercent = Number(url.searchParams.get('fail') ?? 0);
    const slowFactor = Number(url.searchParams.get('slow') ?? 1);
    const answer = (code: number, text: string): void => {
      response.writeHead(code, { 'content-type': 'text/plain' }).end(`${text}\n`);
    };
    if (request.headers.origin !== undefined) return answer(403, 'not for browsers');
    if (request.method !== 'POST' || spec === undefined)
      return answer(404, "POST '/payments?fail=60&slow=2' (or orders, inventory)");
    mesh.fault(spec.kind, { failPercent, slowFactor }).then(
      () => answer(200, `${spec.kind}: ${failPercent} % fail, ${slowFactor}× as slow, on both sides`),
      (error: unknown) => answer(400, String(error)),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
