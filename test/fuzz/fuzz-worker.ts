/**
 * The thread that fuzzes: it may hang or die without taking the supervisor (main.ts) along, which finds the input of the
 * moment in shared memory.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { collectGarbage } from '../support/garbage.ts';
import { ConnectionTarget } from './connection-target.ts';
import { corpusFilesMax, corpusInputBytesMax, readCorpus } from './corpus.ts';
import { type Finding, FuzzLoop } from './fuzz-loop.ts';
import { HpackTarget } from './hpack-target.ts';
import { Http1Target } from './http1-target.ts';
import { isFuzzOrder, type WorkerMessage } from './messages.ts';
import { inputBytesMax, type Target } from './target.ts';

/** Between two reports, and between two turns of the loop. */
const reportMs = 1000;
const turnMs = 50;
const memoryCheckMs = 5000;
/** Memory that stays after a collection, above where the run began. */
const memoryGrowthBytesMax = 256 * 1024 * 1024;

function targetOf(name: string): Target {
  if (name === 'connection') return new ConnectionTarget();
  return name === 'hpack' ? new HpackTarget() : new Http1Target();
}

function report(message: WorkerMessage): void {
  parentPort?.postMessage(message);
}

function usedBytes(): number {
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

async function fuzz(): Promise<void> {
  const order: unknown = workerData;
  if (!isFuzzOrder(order)) throw new Error('not an order to fuzz');
  const target = targetOf(order.target);
  const loop = new FuzzLoop(target, order.seed);
  const current = new Uint8Array(order.current);
  const state = new Int32Array(order.state);
  loop.beforeRun = (input) => {
    const count = Math.min(input.length, inputBytesMax);
    current.set(input.subarray(0, count));
    Atomics.store(state, 1, count);
    Atomics.add(state, 0, 1);
  };
  let finding: Finding | null = await loop.begin(readCorpus(order.target));
  const startedMs = performance.now();
  const before = usedBytes();
  let [turnAt, reportAt, memoryAt] = [startedMs, startedMs, startedMs];
  while (finding === null && Atomics.load(state, 2) === 0) {
    finding = await loop.step();
    const nowMs = performance.now();
    if (nowMs - startedMs >= order.seconds * 1000) break;
    if (nowMs - turnAt < turnMs) continue;
    turnAt = nowMs;
    await nextTurn();
    if (nowMs - reportAt >= reportMs) {
      reportAt = nowMs;
      const { executions, inputCount, featureCount } = loop;
      report({
        kind: 'progress',
        executions,
        inputs: inputCount,
        features: featureCount,
        elapsedMs: nowMs - startedMs,
      });
    }
    if (nowMs - memoryAt >= memoryCheckMs) {
      memoryAt = nowMs;
      const grown = usedBytes() - before;
      if (grown > memoryGrowthBytesMax) throw new Error(`${grown} bytes stay in memory after ${loop.executions} runs`);
    }
  }
  if (finding !== null) {
    const { executions } = loop;
    const smallest = await loop.minimise(finding);
    report({ kind: 'finding', input: smallest.input, message: smallest.message, stack: smallest.stack, executions });
  } else {
    const keep = order.keep ? await loop.distil(corpusFilesMax, corpusInputBytesMax) : [];
    const { executions, inputCount, featureCount } = loop;
    report({ kind: 'done', executions, inputs: inputCount, features: featureCount, keep });
  }
  await target.close();
}

await fuzz();
