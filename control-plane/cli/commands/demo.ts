/** `weir demo`: the demo of `npm start`, and `weir demo queue`, that of an overwhelmed consumer, in a process of its own that shares our terminal and its Ctrl-C. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Program } from '../command.ts';
import { ExitCode } from '../exit-codes.ts';

export const demo: Program = {
  start(argv) {
    const isQueue = argv[0] === 'queue';
    const file = isQueue ? 'queue-demo.js' : 'main.js';
    const main = fileURLToPath(new URL(`../../../deploy/local/${file}`, import.meta.url));
    return new Promise((resolve, reject) => {
      const child = spawn(process.execPath, [main, ...(isQueue ? argv.slice(1) : argv)], { stdio: 'inherit' });
      // The terminal sends Ctrl-C to both: the demo ends its parts, and we wait for it.
      const ignore = (): void => {};
      const terminate = (): void => void child.kill('SIGTERM');
      process.on('SIGINT', ignore);
      process.on('SIGTERM', terminate);
      child.once('error', reject);
      child.once('exit', (code) => {
        process.off('SIGINT', ignore);
        process.off('SIGTERM', terminate);
        resolve(code ?? ExitCode.interrupted);
      });
    });
  },
};
