/**
 * Where attacks happen: a real sidecar in a process of its own, an app behind it, and beside the attacker a well-behaved
 * client that asks all the time. An attack is judged by what the attacker got, by what it cost the sidecar (memory and
 * CPU, from /proc), and by whether the other client noticed.
 */
import http2 from 'node:http2';
import { afterAll, beforeAll, expect } from 'vitest';
import { processCpuMs, processRssMb } from '../../bench/process-stat.ts';
import { sidecarDoors, startWeir, text, type WeirProcess } from '../process.ts';
import { until } from '../until.ts';
import { type App, type AppState, startApp } from './app.ts';
import { Attacker, type AttackerOptions } from './attacker.ts';

/** What an attack may cost the sidecar. On a quiet machine none costs more than 25 MiB and 200 ms. */
const rssGrowthMbMax = 64;
const cpuMsMax = 1500;
/** The well-behaved client waits that long for an answer: the machine is shared, an attack must not add to it. */
const goodAnswerMsMax = 5000;

export interface AttackReport {
  readonly attacker: Attacker;
  /** Its connection still stood when it had done its worst. */
  readonly survived: boolean;
  readonly rssGrowthMb: number;
  readonly cpuMs: number;
  readonly goodRequests: number;
  /** How often each limit was hit during the attack. */
  readonly limits: ReadonlyMap<string, number>;
}

export class AttackRig {
  readonly inbound: string;
  readonly outbound: string;
  /** Requests that reached the app, and how many of those were cancelled. */
  readonly app: AppState;
  private readonly server: App;
  private readonly sidecar: WeirProcess;
  private readonly metrics: string;

  private constructor(server: App, sidecar: WeirProcess) {
    this.server = server;
    this.app = server.state;
    this.sidecar = sidecar;
    this.outbound = text(sidecar.listening, 'outbound');
    this.inbound = text(sidecar.listening, 'inbound');
    this.metrics = text(sidecar.listening, 'metrics');
  }

  static async start(args: readonly string[] = []): Promise<AttackRig> {
    const app = await startApp();
    const sidecar = await startWeir(['sidecar', ...sidecarDoors, '--app', app.address, ...args]);
    return new AttackRig(app, sidecar);
  }

  async stop(): Promise<void> {
    await this.sidecar.kill9();
    this.server.stop();
  }

  get logs(): WeirProcess['logs'] {
    return this.sidecar.logs;
  }

  connect(options?: AttackerOptions): Promise<Attacker> {
    return Attacker.connect(this.inbound, options);
  }

  /**
   * One attack, with a good client beside it; fails when that one noticed or the sidecar paid too much. The attacker may
   * also be a caller toward an attacking upstream, on the outbound side.
   */
  async attack(
    perform: (attacker: Attacker) => Promise<void>,
    options?: AttackerOptions,
    address = this.inbound,
  ): Promise<AttackReport> {
    const good = new GoodClient(this.inbound);
    await good.oneMore();
    const before = { rssMb: processRssMb(this.sidecar.pid), cpuMs: processCpuMs(this.sidecar.pid) };
    const trips = await this.limitTrips();
    let peakMb = before.rssMb;
    const watch = setInterval(() => {
      peakMb = Math.max(peakMb, processRssMb(this.sidecar.pid));
    }, 20);
    const attacker = await Attacker.connect(address, options);
    let survived = false;
    try {
      await perform(attacker);
      await good.oneMore();
      survived = !attacker.isOver;
    } finally {
      clearInterval(watch);
      attacker.close();
      await good.close();
    }
    peakMb = Math.max(peakMb, processRssMb(this.sidecar.pid));
    const cpuMs = processCpuMs(this.sidecar.pid) - before.cpuMs;
    expect(good.failures).toEqual([]);
    expect(good.slowestMs).toBeLessThan(goodAnswerMsMax);
    expect(peakMb - before.rssMb).toBeLessThan(rssGrowthMbMax);
    expect(cpuMs).toBeLessThan(cpuMsMax);
    const limits = new Map<string, number>();
    for (const [limit, count] of await this.limitTrips()) {
      const more = count - (trips.get(limit) ?? 0);
      if (more > 0) limits.set(limit, more);
    }
    return { attacker, survived, rssGrowthMb: peakMb - before.rssMb, cpuMs, goodRequests: good.answered, limits };
  }

  async bufferedBytes(): Promise<number> {
    return Number(/^weir_buffered_bytes (\d+)$/m.exec(await this.scrape())?.[1]);
  }

  private async scrape(): Promise<string> {
    return (await fetch(`http://${this.metrics}/metrics`)).text();
  }

  /** `weir_http2_limit_total` by limit. */
  async limitTrips(): Promise<Map<string, number>> {
    const found = (await this.scrape()).matchAll(/^weir_http2_limit_total\{limit="(\w+)"\} (\d+)$/gm);
    return new Map([...found].map(([, limit = '', count]) => [limit, Number(count)]));
  }
}

/** One rig for all tests of a file, which read it inside them. */
export function rigForAll(args: readonly string[] = []): { readonly rig: AttackRig } {
  let started: AttackRig | undefined;
  beforeAll(async () => {
    started = await AttackRig.start(args);
  });
  afterAll(() => started?.stop());
  return {
    get rig() {
      if (started === undefined) throw new Error('the rig stands inside tests only');
      return started;
    },
  };
}

/** Asks one request after the other for as long as it lives. */
class GoodClient {
  readonly failures: string[] = [];
  answered = 0;
  slowestMs = 0;
  private readonly session: http2.ClientHttp2Session;
  private isStopped = false;
  private readonly running: Promise<void>;

  constructor(address: string) {
    this.session = http2.connect(`http://${address}`);
    this.session.on('error', (error) => this.failures.push(`connection: ${error.message}`));
    this.running = this.run();
  }

  /** Until another request has been answered since now. */
  async oneMore(): Promise<void> {
    const before = this.answered;
    await until(() => this.answered > before || this.failures.length > 0, { what: 'the good client gets an answer' });
  }

  async close(): Promise<void> {
    this.isStopped = true;
    await this.running;
    this.session.destroy();
  }

  private async run(): Promise<void> {
    while (!this.isStopped && this.failures.length === 0) {
      const startedMs = performance.now();
      const status = await this.ask();
      this.slowestMs = Math.max(this.slowestMs, performance.now() - startedMs);
      if (status === '200') this.answered++;
      else this.failures.push(`answered ${status}`);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  private ask(): Promise<string> {
    return new Promise((resolve) => {
      const stream = this.session.request({ ':path': '/good' });
      let status = '';
      stream.on('response', (head) => {
        status = [head[':status'], head['weir-reason']].join(' ').trim();
      });
      stream.on('error', (error) => this.failures.push(`request: ${error.message}`));
      stream.on('close', () => resolve(status));
      stream.resume();
      stream.end();
    });
  }
}
