/** `weir rollback`: what an older revision said, as a new one. */
import { connect } from '../api-client.ts';
import { type Command, namespaceFlag, serverFlags } from '../command.ts';
import { CommandError, ExitCode, usageError } from '../exit-codes.ts';
import { policyPath, readDocument } from '../policy-documents.ts';
import { policyNameIn, tagOfPolicy } from '../policy-names.ts';

const usage = 'weir rollback <name | namespace/name> --to revision';

export const rollback: Command = {
  usage,
  description: 'Writes what an older revision said as a new revision; nothing in the history is lost.',
  flags: {
    to: { kind: 'text', description: 'The revision to go back to.', placeholder: 'number' },
    reason: { kind: 'text', description: 'Why, for the history and the audit.', placeholder: 'text' },
    'dry-run': { kind: 'boolean', description: 'Check everything and change nothing.' },
    ...namespaceFlag,
    ...serverFlags,
  },
  positionalsMax: 1,
  examples: ['weir rollback shop/payments --to 3 --reason "limit was too low"'],
  async run(context, given) {
    const policy = policyNameIn(given, given.positionals[0], usage);
    const to = given.text('to');
    if (to === undefined) throw usageError('to which revision?', `"weir history ${policy.namespace}/${policy.name}"`);
    if (!/^[1-9][0-9]{0,15}$/.test(to)) throw usageError(`--to: "${to}" is not the number of a revision`);
    const dryRun = given.flag('dry-run');
    const client = await connect(context, given);
    const ifMatch = await tagOfPolicy(client, policy);
    const reason = given.text('reason');
    const query = new URLSearchParams({
      to,
      ...(reason === undefined ? {} : { reason }),
      ...(dryRun ? { dryRun: 'All' } : {}),
    });
    const { body } = await client.request('POST', `${policyPath(policy)}/rollback?${query}`, { ifMatch });
    const written = readDocument(body);
    if (!written) throw new CommandError(ExitCode.failed, 'the control plane sent no policy');
    const now = written.generation === undefined ? '' : `, now revision ${written.generation}`;
    context.stdout.write(
      `policy ${policy.namespace}/${policy.name} is as in revision ${to}${now}${dryRun ? ' (dry run)' : ''}\n`,
    );
    return ExitCode.ok;
  },
};
