/** `weir history`: the revisions of a policy, one of them, or what differs between two. */
import { RevisionDiffView, RevisionView } from '../../../proto/api.ts';
import { listed, understood } from '../answers.ts';
import { type ApiClient, connect } from '../api-client.ts';
import type { Arguments } from '../arguments.ts';
import { type Command, namespaceFlag, serverFlags } from '../command.ts';
import { ExitCode, usageError } from '../exit-codes.ts';
import { formatOf, outputFlag, render } from '../formats.ts';
import { age, unknown } from '../numbers.ts';
import { policyPath } from '../policy-documents.ts';
import { policyNameIn } from '../policy-names.ts';

const usage = 'weir history <name | namespace/name> [revision]';

export const history: Command = {
  usage,
  description:
    'Shows who changed a policy, when, what and why, the newest first; with a number that revision as it was written,\n' +
    'with --diff what differs between two.',
  flags: {
    ...outputFlag,
    ...namespaceFlag,
    diff: { kind: 'text', description: 'Two revisions.', placeholder: 'from..to' },
    ...serverFlags,
  },
  positionalsMax: 2,
  examples: [
    'weir history shop/payments',
    'weir history shop/payments 3 -o yaml',
    'weir history shop/payments --diff 3..5',
  ],
  async run(context, given) {
    const policy = policyNameIn(given, given.positionals[0], usage);
    const path = policyPath(policy);
    const client = await connect(context, given);
    const [, revision] = given.positionals;
    const between = given.text('diff');
    if (between !== undefined) {
      const diff = await difference(client, path, between);
      const form = formatOf(given) === 'json' ? `${JSON.stringify(diff, undefined, 2)}\n` : changes(diff);
      context.stdout.write(form);
      return diff.changes.length === 0 ? ExitCode.ok : ExitCode.failed;
    }
    const revisions =
      revision === undefined
        ? await listed(client, RevisionView, `${path}/revisions`, 'revisions')
        : [await one(client, path, revision)];
    const format = revision !== undefined && isTable(given) ? 'yaml' : formatOf(given);
    const rows = revisions.map((view) => [
      { text: String(view.revision), style: 'bold' as const },
      view.action,
      age(context.wallMs() - Date.parse(view.at)),
      view.by || unknown,
      view.summary || unknown,
      view.reason || unknown,
    ]);
    context.stdout.write(
      await render(context, format, {
        items: revisions,
        names: revisions.map((view) => `revision/${policy.namespace}/${policy.name}/${view.revision}`),
        single: revision !== undefined,
        table: () => ({ columns: ['REVISION', 'ACTION', 'AGE', 'BY', 'CHANGE', 'REASON'], rows }),
      }),
    );
    return ExitCode.ok;
  },
};

function isTable(given: Arguments): boolean {
  const format = formatOf(given);
  return format === 'table' || format === 'wide';
}

async function one(client: ApiClient, path: string, revision: string): Promise<RevisionView> {
  if (!/^[1-9][0-9]{0,15}$/.test(revision)) throw usageError(`"${revision}" is not the number of a revision`);
  const { body } = await client.request('GET', `${path}/revisions/${revision}`);
  return understood(client, RevisionView, body, 'a revision');
}

async function difference(client: ApiClient, path: string, between: string): Promise<RevisionDiffView> {
  const numbers = /^([1-9][0-9]{0,15})\.\.([1-9][0-9]{0,15})$/.exec(between);
  if (numbers === null) throw usageError(`--diff: "${between}" is not two revisions`, 'such as 3..5');
  const { body } = await client.request('GET', `${path}/diff?from=${numbers[1]}&to=${numbers[2]}`);
  return understood(client, RevisionDiffView, body, 'a difference');
}

function changes(diff: RevisionDiffView): string {
  return diff.changes
    .map(({ pointer, before, after }) => {
      const lines = [pointer];
      if (before !== undefined) lines.push(`- ${JSON.stringify(before)}`);
      if (after !== undefined) lines.push(`+ ${JSON.stringify(after)}`);
      return `${lines.join('\n')}\n`;
    })
    .join('');
}
