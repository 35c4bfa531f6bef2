/** Start and rest: how long until a proxy accepts connections, and what it holds before the first request. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Rig } from './measure.ts';
import { processCpuMs, processRssMb } from './process-stat.ts';
import type { ProxyKind } from './proxies.ts';

/** After this the start-up garbage has had its chance. */
const restMs = 2_000;

export async function measureIdle(
  rig: Rig,
  kinds: readonly ProxyKind[],
  originPort: number,
  complain: (message: string) => void,
): Promise<string> {
  const lines = ['idle: time until it listens, memory and CPU at rest before the first request'];
  lines.push(`  ${''.padEnd(14)}${'start ms'.padStart(11)}${'RSS MB'.padStart(11)}${'CPU ms/s'.padStart(11)}`);
  for (const kind of kinds) {
    try {
      const startedAtMs = performance.now();
      const proxy = await kind.start({ children: rig.children, core: rig.cores.proxy, originPort });
      const startMs = performance.now() - startedAtMs;
      await delay(restMs);
      const cpuBeforeMs = processCpuMs(proxy.child.pid);
      await delay(restMs);
      const cpuMs = ((processCpuMs(proxy.child.pid) - cpuBeforeMs) * 1000) / restMs;
      const cells = [startMs.toFixed(0), processRssMb(proxy.child.pid).toFixed(1), cpuMs.toFixed(0)];
      lines.push(`  ${kind.name.padEnd(14)}${cells.map((cell) => cell.padStart(11)).join('')}`);
      await proxy.child.stop();
    } catch (error) {
      complain(`${kind.name} does not start: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return lines.join('\n');
}
