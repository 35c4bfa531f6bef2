/**
 * Leaves no orphans. A process that starts others (`weir dev`, the demo, the tests) may itself be killed with -9, and
 * then nobody is left to end what it started. So one small shell per process, in a session of its own, reads a pipe
 * that only we hold: when we are gone, for whatever reason, the pipe ends and the shell ends every process group and
 * removes every folder still on its list. `PR_SET_PDEATHSIG` would do it too, but only on Linux, and nats-server does
 * not know it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Writable } from 'node:stream';

const script = `
pids=; IFS='
'
dirs=
while read -r line; do
  what=\${line#??}
  case $line in
    '+ '*) pids="$pids$what
" ;;
    '- '*) left=; for p in $pids; do [ "$p" = "$what" ] || left="$left$p
"; done; pids=$left ;;
    'd '*) dirs="$dirs$what
" ;;
    'k '*) left=; for d in $dirs; do [ "$d" = "$what" ] || left="$left$d
"; done; dirs=$left ;;
  esac
done
for p in $pids; do kill -9 -- "-$p" 2>/dev/null || kill -9 "$p" 2>/dev/null; done
for d in $dirs; do rm -rf -- "$d"; done
`;

let pipe: Writable | undefined;

function tell(line: string): void {
  if (!pipe) {
    const shell = spawn('/bin/sh', ['-c', script], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
    shell.unref();
    const input = shell.stdin;
    input.on('error', () => {});
    // The pipe must not keep our own event loop alive.
    if ('unref' in input && typeof input.unref === 'function') input.unref();
    pipe = input;
  }
  pipe.write(`${line}\n`);
}

/**
 * Ends the child, and its process group when it leads one (`detached: true`), if this process dies first.
 * Forgets it when it exits.
 */
export function guardChild(child: ChildProcess): void {
  const pid = child.pid;
  if (pid === undefined) return;
  tell(`+ ${pid}`);
  child.once('exit', () => tell(`- ${pid}`));
}

/** Removes the folder when this process is gone. */
export function guardFolder(path: string): void {
  tell(`d ${path}`);
}

export function forgetFolder(path: string): void {
  tell(`k ${path}`);
}
