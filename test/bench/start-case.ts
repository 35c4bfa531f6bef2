/**
 * Start and rest: how long until a proxy can be reached, and what it holds before the first request. It is started
 * several times, for the first start of a program reads it from disk.
 */
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { startCase } from './cases.ts';
import { freePort, withDeadline } from './children.ts';
import { plainSetting } from './config-template.ts';
import { type FigureName, rounded } from './figures.ts';
import { clientPreface, settingsFrame } from './frame-reader.ts';
import { processCpuMs, processRssMb } from './process-stat.ts';
import { type ProxyKind, startDeadlineMs } from './proxy-kind.ts';
import { type CaseResult, median, type Row } from './report.ts';
import { type Bench, failureOf, startContext } from './run-case.ts';

/** Twice this: what a process holds for good, when V8 has let go of what its start left behind (it takes some 8 s). */
const restMs = 6_000;
const retryMs = 1;
const columns: readonly FigureName[] = ['listeningMs', 'answeringMs', 'logLineMs', 'rssMb', 'idleCpuMsPerS'];

export async function measureStart(bench: Bench, originPort: number, starts: number): Promise<CaseResult> {
  const proxies = new Map<string, Row>();
  const outside = new Map<string, string>();
  for (const kind of bench.kinds) {
    bench.progress(`${kind.name}: ${starts} starts`);
    const failure = await failureOf(async () => {
      proxies.set(kind.name, await measureKind(bench, kind, originPort, starts));
    });
    if (failure === null) continue;
    outside.set(kind.name, failure);
    bench.complain(`${kind.name} does not start: ${failure}`);
  }
  return { name: startCase.name, columns, proxies, outside };
}

async function measureKind(bench: Bench, kind: ProxyKind, originPort: number, starts: number): Promise<Row> {
  const times: StartTimes[] = [];
  let rest = { rssMb: Number.NaN, idleCpuMsPerS: Number.NaN };
  for (let i = 0; i < starts; i++) {
    const port = await freePort();
    const startedAtMs = performance.now();
    const started = kind.start({ ...startContext(bench, originPort, plainSetting), port });
    const [proxy, reached] = await Promise.all([
      started.then((running) => ({ running, afterMs: performance.now() - startedAtMs })),
      withDeadline(firstAnswer(port, startedAtMs), startDeadlineMs, `no answer in ${startDeadlineMs} ms`),
    ]);
    times.push({ ...reached, logLineMs: kind.saysListening === true ? proxy.afterMs : Number.NaN });
    const { child } = proxy.running;
    if (i === starts - 1) {
      await delay(restMs);
      const cpuBeforeMs = processCpuMs(child.pid);
      await delay(restMs);
      const idleCpuMsPerS = ((processCpuMs(child.pid) - cpuBeforeMs) * 1000) / restMs;
      rest = { rssMb: processRssMb(child.pid), idleCpuMsPerS };
    }
    await child.stop();
  }
  const values: Record<string, number> = {
    listeningMs: median(times.map(({ listeningMs }) => listeningMs)),
    answeringMs: median(times.map(({ answeringMs }) => answeringMs)),
    logLineMs: median(times.map(({ logLineMs }) => logLineMs)),
    ...rest,
  };
  const figures = columns
    .map((name) => [name, rounded(name, values[name] ?? Number.NaN)] as const)
    .filter(([, value]) => !Number.isNaN(value));
  return { figures: Object.fromEntries(figures), spread: null, notes: [], invalid: null };
}

interface StartTimes {
  readonly listeningMs: number;
  readonly answeringMs: number;
  readonly logLineMs: number;
}

/** Until a connection is taken by the kernel for the proxy, and until the proxy says its SETTINGS on one. */
async function firstAnswer(port: number, startedAtMs: number): Promise<{ listeningMs: number; answeringMs: number }> {
  for (;;) {
    const socket = await tryConnect(port);
    if (socket === null) {
      await delay(retryMs);
      continue;
    }
    const listeningMs = performance.now() - startedAtMs;
    const answered = new Promise<void>((resolve, reject) => {
      socket.once('data', () => resolve()).once('close', () => reject(new Error('it closed its first connection')));
    });
    socket.write(Buffer.concat([clientPreface, settingsFrame([])]));
    try {
      await answered;
      return { listeningMs, answeringMs: performance.now() - startedAtMs };
    } finally {
      socket.destroy();
    }
  }
}

function tryConnect(port: number): Promise<Socket | null> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    socket.on('error', () => resolve(null));
    socket.once('connect', () => resolve(socket));
  });
}
