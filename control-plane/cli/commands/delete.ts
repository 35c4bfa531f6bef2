/** `weir delete policy <name>` or `-f`: by If-Match, so that what was deleted is what was looked at. */
import { connect } from '../api-client.ts';
import type { Arguments } from '../arguments.ts';
import { type Command, fileFlag, namespaceFlag, serverFlags } from '../command.ts';
import type { Context } from '../context.ts';
import { CommandError, ExitCode, usageError } from '../exit-codes.ts';
import { policyPath, readFiles } from '../policy-documents.ts';
import { type PolicyName, policyNameIn } from '../policy-names.ts';

export const deleteCommand: Command = {
  usage: 'weir delete policy <name | namespace/name> | -f file|-',
  description: 'Deletes policies. Without -n or a namespace in the name, in the namespace "default".',
  flags: {
    ...fileFlag,
    ...namespaceFlag,
    'ignore-not-found': { kind: 'boolean', description: 'An absent policy is no error.' },
    ...serverFlags,
  },
  positionalsMax: 2,
  examples: ['weir delete policy shop/payments', 'weir delete policy payments -n shop', 'weir delete -f policy.yaml'],
  async run(context, given) {
    const targets = await readTargets(context, given);
    const client = await connect(context, given);
    let exitCode: ExitCode = ExitCode.ok;
    for (const target of targets) {
      const path = policyPath(target);
      const present = await client.request('GET', path, { accept: [404] });
      if (present.status === 404) {
        if (given.flag('ignore-not-found')) continue;
        context.stderr.write(`policy ${target.namespace}/${target.name} does not exist\n`);
        exitCode = ExitCode.failed;
        continue;
      }
      if (present.etag === undefined) throw new CommandError(ExitCode.failed, 'the control plane sent no ETag');
      await client.request('DELETE', path, { ifMatch: present.etag });
      context.stdout.write(`policy ${target.namespace}/${target.name} deleted\n`);
    }
    return exitCode;
  },
};

async function readTargets(context: Context, given: Arguments): Promise<readonly PolicyName[]> {
  const [kind, name] = given.positionals;
  if (given.list('file').length > 0) {
    if (kind !== undefined) throw usageError('give a name or -f, not both');
    return readFiles(context, given);
  }
  if (kind !== 'policy' && kind !== 'policies') {
    throw usageError(kind === undefined ? 'delete what?' : `cannot delete "${kind}"`, 'weir delete policy <name>');
  }
  return [policyNameIn(given, name, 'weir delete policy <name>')];
}
