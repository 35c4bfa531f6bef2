/** The process of the simulated sidecars, told by its parent what to do. */
import { type GeneratorOptions, SimulatedSidecars } from './simulated-sidecars.ts';

export type GeneratorOrder =
  | ({ readonly kind: 'start' } & GeneratorOptions)
  | { readonly kind: 'report'; readonly intervalMs: number }
  | { readonly kind: 'lose'; readonly share: number }
  | { readonly kind: 'count'; readonly version: number };

export interface GeneratorReading {
  readonly sent: number;
  readonly applied: number;
  readonly cpuMs: number;
}

let simulated: SimulatedSidecars | undefined;

async function obey(order: GeneratorOrder): Promise<GeneratorReading> {
  if (order.kind === 'start') {
    simulated = new SimulatedSidecars(order.reportIntervalMs);
    await simulated.start(order);
  } else if (order.kind === 'report' && simulated) simulated.reportIntervalMs = order.intervalMs;
  else if (order.kind === 'lose' && simulated) simulated.lossShare = order.share;
  const { user, system } = process.cpuUsage();
  return {
    sent: simulated?.sent ?? 0,
    applied: order.kind === 'count' ? (simulated?.applied(order.version) ?? 0) : 0,
    cpuMs: (user + system) / 1000,
  };
}

process.on('message', (order: GeneratorOrder) => {
  void obey(order).then((reading) => process.send?.(reading));
});
process.on('disconnect', () => process.exit(0));
