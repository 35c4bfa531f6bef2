/** `weir rollout start|status|pause|resume|promote|abort`: a policy that reaches the instances by stages. */
import { type RolloutStageView, RolloutView } from '../../../proto/api-rollout.ts';
import { parseDuration } from '../../../proto/kernel/duration.ts';
import { listed, understood } from '../answers.ts';
import { type ApiClient, connect } from '../api-client.ts';
import type { Arguments } from '../arguments.ts';
import { type Command, fileFlag, namespaceFlag, serverFlags } from '../command.ts';
import type { Context } from '../context.ts';
import { CommandError, ExitCode, usageError } from '../exit-codes.ts';
import { formatOf, outputFlag, render } from '../formats.ts';
import { authored, keyOf, policyPath, readFiles } from '../policy-documents.ts';
import { policyNameIn, tagOf } from '../policy-names.ts';
import type { Cell } from '../table.ts';
import { watch } from '../watch.ts';

const actions = ['pause', 'resume', 'promote', 'abort'] as const;
const verbs = ['start', 'status', ...actions].join('|');
const usage = `weir rollout ${verbs} [name | namespace/name]`;

export const rollout: Command = {
  usage,
  description:
    'A staged rollout gives a policy to some of the instances first, compares them with the others, and goes on by\n' +
    'itself or takes the policy back: when instances refuse it, when clearly more is rejected, or when success is lost.\n' +
    'start begins one for each document of -f; status shows them; promote makes the candidate the policy at once.',
  flags: {
    ...outputFlag,
    ...fileFlag,
    stages: {
      kind: 'text',
      description: 'start: share of the instances and how long it has to go well.',
      default: '10%:1m,50%:1m,100%:1m',
      placeholder: 'percent:hold,…',
    },
    reason: { kind: 'text', description: 'Why, for the history and the audit.', placeholder: 'text' },
    'dry-run': { kind: 'boolean', description: 'Check everything and change nothing.' },
    watch: { kind: 'boolean', short: 'w', description: 'status: look again each second.' },
    ...namespaceFlag,
    ...serverFlags,
  },
  positionalsMax: 2,
  examples: [
    'weir rollout start -f policy.yaml --stages 5%:5m,50%:10m,100%:10m',
    'weir rollout status -w',
    'weir rollout status shop/payments -o yaml',
    'weir rollout pause shop/payments',
    'weir rollout abort shop/payments --reason "too strict for batch"',
  ],
  async run(context, given) {
    const [verb, name] = given.positionals;
    if (verb === 'start') return start(context, given, await connect(context, given));
    if (verb === 'status') return status(context, given, await connect(context, given), name);
    const action = actions.find((one) => one === verb);
    if (action === undefined) throw usageError(verb === undefined ? 'do what?' : `unknown verb "${verb}"`, verbs);
    return act(context, given, await connect(context, given), action, name);
  },
};

async function start(context: Context, given: Arguments, client: ApiClient): Promise<ExitCode> {
  const stages = stagesIn(given.text('stages') ?? '');
  for (const document of await readFiles(context, given)) {
    const path = policyPath(document);
    const present = await client.request('GET', path, { accept: [404] });
    const { body } = await client.request('POST', `${path}/rollout${queryOf(given)}`, {
      body: { policy: authored(document), stages },
      ...(present.status === 404 || present.etag === undefined ? {} : { ifMatch: present.etag }),
    });
    const begun = await understood(client, RolloutView, body, 'a rollout');
    context.stdout.write(`rollout of ${keyOf(document)} begun: ${inWords(begun)}${dryNote(given)}\n`);
  }
  return ExitCode.ok;
}

async function status(
  context: Context,
  given: Arguments,
  client: ApiClient,
  name: string | undefined,
): Promise<ExitCode> {
  const wanted = name === undefined ? undefined : policyNameIn(given, name, usage);
  const namespace = wanted?.namespace ?? given.text('namespace');
  const picture = async (): Promise<string> => {
    const all = await listed(
      client,
      RolloutView,
      namespace === undefined ? '/v1/rollouts' : `/v1/rollouts?namespace=${encodeURIComponent(namespace)}`,
      'rollouts',
    );
    const shown = wanted === undefined ? all : all.filter((one) => one.name === wanted.name);
    if (wanted !== undefined && shown.length === 0) {
      throw new CommandError(ExitCode.failed, `there is no rollout of ${wanted.namespace}/${wanted.name}`);
    }
    return render(context, formatOf(given), {
      items: shown,
      names: shown.map((one) => `rollout/${one.namespace}/${one.name}`),
      single: wanted !== undefined,
      table: (wide) => ({
        columns: ['POLICY', 'PHASE', 'STAGE', 'OBEYED', 'WAITS FOR', ...(wide ? ['LAST STEP'] : [])],
        rows: shown.map((one) => (wide ? [...cells(one), one.steps.at(-1)?.text ?? ''] : cells(one))),
      }),
    });
  };
  if (given.flag('watch')) return watch(context, picture);
  context.stdout.write(await picture());
  return ExitCode.ok;
}

async function act(
  context: Context,
  given: Arguments,
  client: ApiClient,
  action: (typeof actions)[number],
  name: string | undefined,
): Promise<ExitCode> {
  const policy = policyNameIn(given, name, usage);
  const path = `${policyPath(policy)}/rollout`;
  const ifMatch = await tagOf(client, path, `a rollout of ${policy.namespace}/${policy.name}`);
  const { body } = await client.request('POST', `${path}/${action}${queryOf(given)}`, { ifMatch });
  const view = await understood(client, RolloutView, body, 'a rollout');
  context.stdout.write(`rollout of ${policy.namespace}/${policy.name}: ${inWords(view)}${dryNote(given)}\n`);
  return ExitCode.ok;
}

function cells(view: RolloutView): Cell[] {
  const { chosen, obeying, refused } = view.instances;
  const refusals = refused.length > 0 ? `, ${refused.length} refused` : '';
  return [
    { text: `${view.namespace}/${view.name}`, style: 'bold' },
    { text: view.phase, style: view.phase === 'rolledBack' ? 'red' : view.phase === 'promoted' ? 'green' : 'yellow' },
    `${view.stage + 1}/${view.stages.length} (${view.percent}%)`,
    { text: `${obeying}/${chosen}${refusals}`, style: refused.length > 0 ? 'red' : 'plain' },
    view.waitingFor,
  ];
}

function inWords({ phase, stage, stages, percent, waitingFor }: RolloutView): string {
  const where = percent > 0 ? `, stage ${stage + 1} of ${stages.length}, ${percent}% of the instances` : '';
  return `${phase}${where}${waitingFor === '' ? '' : `; waits for ${waitingFor}`}`;
}

function stagesIn(text: string): RolloutStageView[] {
  return text.split(',').map((stage) => {
    const parts = /^([0-9]{1,3})%?:(.+)$/.exec(stage.trim());
    if (parts === null || parseDuration(parts[2] ?? '') === undefined) {
      throw usageError(`--stages: "${stage}" is not a share and a time`, 'such as 10%:1m,100%:5m');
    }
    return { percent: Number(parts[1]), hold: parts[2] ?? '' };
  });
}

function queryOf(given: Arguments): string {
  const reason = given.text('reason');
  const query = new URLSearchParams({
    ...(reason === undefined ? {} : { reason }),
    ...(given.flag('dry-run') ? { dryRun: 'All' } : {}),
  }).toString();
  return query === '' ? '' : `?${query}`;
}

function dryNote(given: Arguments): string {
  return given.flag('dry-run') ? ' (dry run)' : '';
}
