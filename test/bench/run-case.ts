/** One case of load: every proxy is started afresh and warmed up, then they take turns. */
import { type LoadCase, warmUpOf } from './cases.ts';
import type { Certificate } from './certificate.ts';
import type { Setting } from './config-template.ts';
import type { Rig } from './generators.ts';
import { type Measure, measure } from './measure.ts';
import type { ProxyKind, RunningProxy, StartContext } from './proxy-kind.ts';
import { type CaseResult, summarise } from './report.ts';

export interface Pace {
  readonly seconds: number;
  readonly rounds: number;
  readonly warmUpSeconds: number;
}

/** What a case needs of its surroundings. */
export interface Bench {
  readonly rig: Rig;
  readonly kinds: readonly ProxyKind[];
  readonly pace: Pace;
  readonly complain: (message: string) => void;
  readonly progress: (message: string) => void;
  readonly certificate: Certificate | null;
}

export function startContext({ rig, certificate }: Bench, originPort: number, setting: Setting): StartContext {
  return {
    children: rig.children,
    core: rig.cores.proxy,
    scratchFolder: rig.scratchFolder,
    originPort,
    setting,
    certificate: setting.tls ? certificate : null,
  };
}

export async function runCase(bench: Bench, load: LoadCase, originPort: number): Promise<CaseResult> {
  const { rig, pace, progress } = bench;
  const seconds = Math.max(pace.seconds, load.secondsMin);
  const warmUpSeconds = Math.max(pace.warmUpSeconds, load.secondsMin);
  const context = startContext(bench, originPort, load.setting);
  const running = new Map<string, RunningProxy>();
  const rounds = new Map<string, Measure[]>();
  const outside = new Map<string, string>();
  for (const kind of bench.kinds) {
    const reason = kind.cannot(load.setting);
    if (reason !== null) {
      outside.set(kind.name, reason);
      continue;
    }
    progress(`${kind.name}: start and warm-up`);
    const failure = await failureOf(async () => {
      const proxy = await kind.start(context);
      running.set(kind.name, proxy);
      await measure(rig, warmUpOf(load), proxy, { seconds: warmUpSeconds, withP99: false });
      rounds.set(kind.name, []);
    });
    if (failure === null) continue;
    outside.set(kind.name, failure);
    bench.complain(`${kind.name} in ${load.name}: ${failure}`);
  }
  // In turns, so that a noisy moment hits all of them.
  for (let round = 0; round < pace.rounds; round++) {
    for (const [name, measures] of rounds) {
      const proxy = running.get(name);
      if (proxy === undefined) continue;
      progress(`${name}: round ${round + 1} of ${pace.rounds}`);
      const withP99 = round === pace.rounds - 1 && load.columns.includes('p99Us');
      const failure = await failureOf(async () => {
        measures.push(await measure(rig, load, proxy, { seconds, withP99 }));
      });
      if (failure === null) continue;
      outside.set(name, failure);
      rounds.delete(name);
      bench.complain(`${name} in ${load.name}: ${failure}`);
    }
  }
  for (const proxy of running.values()) await proxy.child.stop();
  const rows = [...rounds].map(([name, measures]) => [name, summarise(measures, load.columns)] as const);
  for (const [name, { invalid }] of rows) if (invalid !== null) bench.complain(`${name} in ${load.name}: ${invalid}`);
  return { name: load.name, columns: load.columns, proxies: new Map(rows), outside };
}

/** What went wrong, on one line, or null. */
export async function failureOf(action: () => Promise<void>): Promise<string | null> {
  try {
    await action();
    return null;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return message.trim().split('\n').join(' · ');
  }
}
