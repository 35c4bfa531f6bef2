/**
 * A worker's side of its talk with the main thread, and with its neighbours: what it says and how often. What many
 * requests change is in shared memory; here goes what changes rarely, or is only evidence.
 */
import type { MessagePort } from 'node:worker_threads';
import { createLog, type Log, type LogFields, type LogLevel } from '../../../proto/kernel/log-format.ts';
import type { Target } from '../../exchange/targets.ts';
import { type PlaneReadings, readingsOf } from '../plane-readings.ts';
import type { FromWorker } from './messages.ts';

/** How old readings of connections and buffers may be. */
const readingsIntervalMs = 200;
/** How old the counts of outcomes may be for which nobody is in a hurry, and for which somebody is. */
const countsIntervalMs = 100;
const countsSoonMs = 10;

export class MainLink {
  private readonly port: MessagePort;
  private readonly neighbours = new Map<number, MessagePort>();
  private readonly timers: NodeJS.Timeout[] = [];
  private targets: () => Iterable<Target> = () => [];
  private soon: NodeJS.Timeout | null = null;

  constructor(port: MessagePort) {
    this.port = port;
  }

  say(message: FromWorker): void {
    this.port.postMessage(message);
  }

  /** Lines go to the main thread, which owns the output. */
  log(threshold: LogLevel): Log {
    return createLog(threshold, ({ level, msg, fields = {} }) => {
      try {
        this.say({ kind: 'log', level, msg, fields });
      } catch {
        // Not everything can cross threads; as text it can.
        this.say({ kind: 'log', level, msg, fields: asText(fields) });
      }
    });
  }

  /** Begins to tell of what happens. */
  follow(plane: PlaneReadings, targets: () => Iterable<Target>): void {
    this.targets = targets;
    this.every(readingsIntervalMs, () => this.say({ kind: 'readings', readings: readingsOf(plane) }));
    this.every(countsIntervalMs, () => this.sayCounts());
  }

  /** A failure is news for the fleet. */
  onFailure(): void {
    this.soon ??= setTimeout(() => {
      this.soon = null;
      this.sayCounts();
    }, countsSoonMs);
  }

  meet(seat: number, port: MessagePort, onGranted: () => void): void {
    this.neighbours.get(seat)?.close();
    this.neighbours.set(seat, port);
    port.on('message', onGranted);
    port.unref();
  }

  /** To a neighbour that died, nobody listens; the permits are then handed out again. */
  wake(seat: number): void {
    this.neighbours.get(seat)?.postMessage(null);
  }

  close(): void {
    for (const timer of this.timers) clearInterval(timer);
    if (this.soon !== null) clearTimeout(this.soon);
    this.sayCounts();
    for (const port of this.neighbours.values()) port.close();
  }

  private sayCounts(): void {
    for (const { key, cluster } of this.targets()) {
      if (!cluster.counts.isEmpty) this.say({ kind: 'counts', target: key, counts: cluster.counts.drain() });
    }
  }

  private every(intervalMs: number, act: () => void): void {
    const timer = setInterval(act, intervalMs);
    timer.unref();
    this.timers.push(timer);
  }
}

function asText(fields: LogFields): LogFields {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, String(value)]));
}
