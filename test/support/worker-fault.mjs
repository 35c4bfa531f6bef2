/**
 * Loaded before everything into every thread of a sidecar under test (NODE_OPTIONS=--import): a worker at the seat that
 * the file names throws, once, from where nobody catches it. The sidecar itself has no such switch.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { isMainThread, workerData } from 'node:worker_threads';

const file = process.env.FAULT_FILE;
if (!isMainThread && file !== undefined && workerData?.seat !== undefined) {
  setInterval(() => {
    if (!existsSync(file) || readFileSync(file, 'utf8') !== String(workerData.seat)) return;
    rmSync(file);
    throw new Error('a fault for the test');
  }, 10).unref();
}
