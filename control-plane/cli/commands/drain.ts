/**
 * `weir drain`: the pod's preStop hook. The kubelet cannot POST and reaches only the pod's address, so this command
 * does it over the admin door, and holds the hook until the sidecar has finished its requests.
 */
import type { Command } from '../command.ts';
import { CommandError, ExitCode } from '../exit-codes.ts';
import { DoorClosed, type LocalAnswer, localRequest, parseDoor } from '../local-request.ts';

const pollMs = 100;

export const drain: Command = {
  usage: 'weir drain',
  description:
    'Tells the sidecar to take no new requests, and waits until those in flight are answered.\n' +
    'A sidecar that ends meanwhile has drained. Exit code 7 when it takes longer than --timeout.',
  flags: {
    admin: {
      kind: 'text',
      description: 'Its admin address (or WEIR_ADMIN; default 127.0.0.1:15000).',
      placeholder: 'host:port|unix:/path',
    },
    timeout: { kind: 'duration', description: 'How long to wait for the requests in flight.', default: '30s' },
  },
  positionalsMax: 0,
  examples: ['weir drain', 'weir drain --admin unix:/run/weir/admin.sock --timeout 25s'],
  async run(context, given) {
    const door = parseDoor(given.text('admin') ?? (context.env.WEIR_ADMIN || '127.0.0.1:15000'), '--admin');
    const timeoutMs = given.duration('timeout') ?? 30_000;
    const deadline = performance.now() + timeoutMs;
    let began = false;
    while (!context.interrupted.aborted) {
      const leftMs = deadline - performance.now();
      if (leftMs <= 0)
        throw new CommandError(ExitCode.timedOut, `the sidecar still has requests after ${timeoutMs} ms`);
      try {
        // Asking again is harmless and answers how far it is.
        const answer = await localRequest(door, { method: 'POST', path: '/drain', timeoutMs: leftMs });
        if (answer.status >= 300)
          throw new CommandError(ExitCode.failed, `/drain says ${answer.status} ${answer.text}`);
        began = true;
        if (isDrained(answer)) break;
      } catch (error) {
        if (began && error instanceof DoorClosed) break;
        throw error;
      }
      await context.sleep(Math.min(pollMs, leftMs));
    }
    if (context.interrupted.aborted) return ExitCode.interrupted;
    context.stderr.write('drained\n');
    return ExitCode.ok;
  },
};

/** `{"drained": false, …}` means "ask again"; any other answer came when it was done. */
function isDrained({ text }: LocalAnswer): boolean {
  return !/"drained"\s*:\s*false/.test(text);
}
