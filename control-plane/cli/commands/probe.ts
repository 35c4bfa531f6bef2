/** `weir probe ready|live`: for exec probes, where the kubelet cannot reach the health port itself. */
import type { Command } from '../command.ts';
import { ExitCode, usageError } from '../exit-codes.ts';
import { localRequest, parseDoor } from '../local-request.ts';

const paths: Readonly<Record<string, string>> = { ready: '/readyz', live: '/healthz' };

export const probe: Command = {
  usage: 'weir probe ready|live',
  description: 'Asks the sidecar on this machine. Exit code 0: yes, 1: no, 3: nobody answers, 7: not in time.',
  flags: {
    health: {
      kind: 'text',
      description: 'Its health address (or WEIR_HEALTH; default 127.0.0.1:15021).',
      placeholder: 'host:port',
    },
    timeout: { kind: 'duration', description: 'How long to wait.', default: '1s' },
  },
  positionalsMax: 1,
  examples: ['weir probe ready', 'weir probe live --health 127.0.0.1:15021 --timeout 500ms'],
  async run(context, given) {
    const path = paths[given.positionals[0] ?? ''];
    if (path === undefined) throw usageError('probe what?', 'ready or live');
    const address = given.text('health') ?? (context.env.WEIR_HEALTH || '127.0.0.1:15021');
    const { status, text } = await localRequest(parseDoor(address, '--health'), {
      method: 'GET',
      path,
      timeoutMs: given.duration('timeout') ?? 1_000,
    });
    if (status === 200) return ExitCode.ok;
    context.stderr.write(`${path} says ${status} ${text.trim().slice(0, 500)}\n`);
    return ExitCode.failed;
  },
};
