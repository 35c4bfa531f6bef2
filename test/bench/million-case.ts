/** Whether memory grows with the requests served: it is read after a warm-up, and after a million more. */
import { setTimeout as delay } from 'node:timers/promises';
import { millionCase } from './cases.ts';
import { plainSetting } from './config-template.ts';
import { type FigureName, rounded } from './figures.ts';
import { h2load } from './generators.ts';
import { processRssMb } from './process-stat.ts';
import type { RunningProxy } from './proxy-kind.ts';
import { type CaseResult, percent, type Row } from './report.ts';
import { type Bench, failureOf, startContext } from './run-case.ts';

const requests = 1_000_000;
/** Enough for every function of a proxy to have been compiled. */
const warmUpRequests = 50_000;
/** The slowest peer serves ten thousand a second. */
const deadlineMs = 180_000;
const settleMs = 1_000;
const columns: readonly FigureName[] = ['growthMb', 'rssBeforeMb', 'rssAfterMb'];

export async function measureMillion(bench: Bench, originPort: number): Promise<CaseResult> {
  const proxies = new Map<string, Row>();
  const outside = new Map<string, string>();
  for (const kind of bench.kinds) {
    const failure = await failureOf(async () => {
      const proxy = await kind.start(startContext(bench, originPort, plainSetting));
      try {
        bench.progress(`${kind.name}: warm-up`);
        await send(bench, proxy, warmUpRequests);
        await delay(settleMs);
        const before = processRssMb(proxy.child.pid);
        bench.progress(`${kind.name}: a million requests`);
        const failed = await send(bench, proxy, requests);
        await delay(settleMs);
        proxies.set(kind.name, rowOf(before, processRssMb(proxy.child.pid), failed));
      } finally {
        await proxy.child.stop();
      }
    });
    if (failure === null) continue;
    outside.set(kind.name, failure);
    bench.complain(`${kind.name} in ${millionCase.name}: ${failure}`);
  }
  return { name: millionCase.name, columns, proxies, outside };
}

async function send({ rig }: Bench, proxy: RunningProxy, amount: number): Promise<number> {
  const shape = { port: proxy.port, path: '/b100', connections: 10, streams: 20, tls: false };
  const { requests: answered } = await h2load(rig, { ...shape, amount: { requests: amount } }, deadlineMs);
  return amount - answered;
}

function rowOf(before: number, after: number, failed: number): Row {
  const values = { growthMb: after - before, rssBeforeMb: before, rssAfterMb: after };
  const figures = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, rounded('growthMb', value)]));
  return {
    figures,
    spread: null,
    notes: [],
    invalid: failed === 0 ? null : `${failed} requests FAILED (${percent(failed / requests)})`,
  };
}
