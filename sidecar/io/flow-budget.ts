/**
 * The process's one flow budget, and how large it is by default: 40 % of the memory that the container may have, so that
 * readers, however slow, leave the rest to everything else.
 */
import { readFileSync } from 'node:fs';
import { FlowBudget } from '../http2/flow-budget.ts';
import { ticker } from './ticker.ts';

export const flowBudget = new FlowBudget();

const share = 0.4;
/** Where no limit is set the machine is not ours to fill. */
const capWithoutLimitBytes = 256 * 1024 * 1024;
/** A container as small as 32 MiB must still carry a few streams. */
const capMinBytes = 8 * 1024 * 1024;
/** cgroup v2, then v1. "max", or a number of the size of an address space, is no limit. */
const limitFiles = ['/sys/fs/cgroup/memory.max', '/sys/fs/cgroup/memory/memory.limit_in_bytes'];
const noLimitBytes = 2 ** 53;

/** Of several threads each takes its equal part: buffers lie in one thread, and a common number would be written by all. */
export function startFlowBudget(capBytes: number, threads = 1): void {
  flowBudget.capBytes = (capBytes > 0 ? capBytes : defaultCapBytes(limitFiles.map(readLimit))) / threads;
  ticker.add(flowBudget);
}

export function defaultCapBytes(limits: readonly (number | undefined)[]): number {
  const limit = limits.find((bytes) => bytes !== undefined && bytes > 0 && bytes < noLimitBytes);
  return limit === undefined ? capWithoutLimitBytes : Math.max(capMinBytes, Math.floor(limit * share));
}

function readLimit(path: string): number | undefined {
  try {
    const text = readFileSync(path, 'utf8').trim();
    return text === 'max' ? undefined : Number(text);
  } catch {
    return undefined;
  }
}
