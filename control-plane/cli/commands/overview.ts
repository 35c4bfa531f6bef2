/** `weir` alone: the state of the mesh, or how to get one. */
import { connect } from '../api-client.ts';
import { parseArguments } from '../arguments.ts';
import { serverFlags } from '../command.ts';
import type { Context } from '../context.ts';
import { CommandError, ExitCode } from '../exit-codes.ts';
import { listServices } from '../lists.ts';
import { paintFor } from '../style.ts';
import { renderTable } from '../table.ts';
import { servicesTable } from '../views/services.ts';

export async function overview(context: Context): Promise<ExitCode> {
  const parsed = parseArguments({ flags: serverFlags, positionalsMax: 0 }, ['--timeout', '2s']);
  if (!parsed.ok) return ExitCode.usage;
  const client = await connect(context, parsed.arguments);
  const paint = paintFor(context, context.stdout);
  try {
    const services = await listServices(client);
    context.stderr.write(`mesh at ${client.server} (dashboard: open it in a browser)\n\n`);
    if (services.length === 0) {
      context.stderr.write(firstSidecar);
      return ExitCode.ok;
    }
    const worstFirst = services.toSorted((a, b) => b.attention - a.attention);
    context.stdout.write(renderTable(servicesTable(worstFirst, false), paint));
    context.stderr.write('\nMore: weir get instances · weir get policies · weir get services -w · weir --help\n');
    return ExitCode.ok;
  } catch (error) {
    if (!(error instanceof CommandError) || error.exitCode !== ExitCode.unreachable) throw error;
    context.stderr.write(howToStart(client.server));
    return ExitCode.unreachable;
  }
}

const firstSidecar = `No service has announced itself yet. Beside a service on port 8080:

  weir sidecar --service default/web --app 127.0.0.1:8080 --nats nats://127.0.0.1:4222

`;

const howToStart = (server: string): string => `No control plane answers at ${server}.

  weir demo            a whole mesh under load, on this machine
  weir dev             a control plane of your own, on this machine
  weir sidecar --app 127.0.0.1:8080 --policy policy.yaml
                       protect one service, with no control plane at all

Is it elsewhere? Name it with --server or WEIR_SERVER. All commands: weir --help
`;
