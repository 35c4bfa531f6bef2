/** `weir impact -f`: what a policy would have done with the traffic that the sidecars recorded. */
import { ImpactView } from '../../../proto/api-impact.ts';
import { understood } from '../answers.ts';
import { connect } from '../api-client.ts';
import { type Command, fileFlag, namespaceFlag, serverFlags } from '../command.ts';
import { ExitCode } from '../exit-codes.ts';
import { formatOf, outputFlag, toYaml } from '../formats.ts';
import { percent } from '../numbers.ts';
import { authored, keyOf, policyPath, readFiles } from '../policy-documents.ts';
import { renderTable } from '../table.ts';

export const impact: Command = {
  usage: 'weir impact -f file|-',
  description:
    'Lets the sidecars of the service rehearse a policy on the traffic they recorded of late, with the code that would\n' +
    'decide, and shows what it would have rejected. Nothing is changed. What it cannot tell is said with it.',
  flags: { ...outputFlag, ...fileFlag, ...namespaceFlag, ...serverFlags },
  positionalsMax: 0,
  examples: ['weir impact -f policy.yaml', 'weir impact -f policy.yaml -o json | jq .rejectedShare'],
  async run(context, given) {
    const documents = await readFiles(context, given);
    const client = await connect(context, given);
    const format = formatOf(given);
    const views: ImpactView[] = [];
    for (const document of documents) {
      const { body } = await client.request('POST', `${policyPath(document)}/impact`, { body: authored(document) });
      const view = await understood(client, ImpactView, body, 'an impact');
      if (format === 'table' || format === 'wide') context.stdout.write(`policy ${keyOf(document)}: ${inWords(view)}`);
      else views.push(view);
    }
    const value = views.length === 1 ? views[0] : { items: views };
    if (format === 'json') context.stdout.write(`${JSON.stringify(value, undefined, 2)}\n`);
    else if (format === 'yaml') context.stdout.write(await toYaml(value));
    return ExitCode.ok;
  },
};

function inWords(view: ImpactView): string {
  const lines = [`${view.summary}\n`];
  const rows = [
    ...Object.entries(view.byReason).map(([reason, rejected]) => ['reason', reason, String(rejected), '']),
    ...Object.entries(view.byTier).map(([tier, tally]) => ['tier', tier, ...tallied(tally)]),
    ...view.routes.map(({ route, ...tally }) => ['route', route, ...tallied(tally)]),
  ];
  if (rows.length > 0) lines.push(renderTable({ columns: ['BY', 'NAME', 'REJECTED', 'SHARE'], rows }));
  for (const { instance, message } of view.silent) lines.push(`${instance} could not tell: ${message}\n`);
  for (const caveat of view.caveats) lines.push(`note: ${caveat}\n`);
  return lines.join('');
}

function tallied({ requests, rejected }: { requests: number; rejected: number }): [string, string] {
  return [`${rejected}/${requests}`, percent(requests === 0 ? null : rejected / requests)];
}
