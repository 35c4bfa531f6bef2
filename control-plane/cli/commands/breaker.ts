/** `weir breaker force|reset`: an operator's word over a fleet breaker, with a reason and an end. */
import { BreakerDetail } from '../../../proto/api-breaker.ts';
import { understood } from '../answers.ts';
import { connect } from '../api-client.ts';
import { type Command, namespaceFlag, serverFlags } from '../command.ts';
import { ExitCode, usageError } from '../exit-codes.ts';
import { age } from '../numbers.ts';
import { policyNameIn } from '../policy-names.ts';

const usage = 'weir breaker force open|closed <namespace/service> | reset <namespace/service>';

export const breaker: Command = {
  usage,
  description:
    'Forces the breaker of a service open or closed for all of its callers. Everybody sees the reason, and it ends by\n' +
    'itself. reset ends it now; a breaker that was forced open then proves itself by probes.',
  flags: {
    reason: { kind: 'text', description: 'force: why; everybody sees it.', placeholder: 'text' },
    for: { kind: 'duration', description: 'force: until it ends by itself, 1s to 24h.', default: '10m' },
    ...namespaceFlag,
    ...serverFlags,
  },
  positionalsMax: 3,
  examples: [
    'weir breaker force open shop/payments --reason "the database moves" --for 15m',
    'weir breaker reset shop/payments',
  ],
  async run(context, given) {
    const [verb, ...rest] = given.positionals;
    const [state, name] = verb === 'force' ? rest : [undefined, rest[0]];
    if (verb !== 'force' && verb !== 'reset') throw usageError(verb === undefined ? 'do what?' : `"${verb}"?`, usage);
    if (verb === 'force' && state !== 'open' && state !== 'closed') throw usageError('force it open or closed?', usage);
    if (name === undefined) throw usageError('of which service?', usage);
    const service = policyNameIn(given, name, usage);
    const reason = given.text('reason');
    if (verb === 'force' && reason === undefined) throw usageError('why? Everybody will see it', '--reason "…"');
    const path = `/v1/namespaces/${encodeURIComponent(service.namespace)}/services/${encodeURIComponent(service.name)}/breaker`;
    const client = await connect(context, given);
    const { body } =
      verb === 'reset'
        ? await client.request('DELETE', path)
        : await client.request('PUT', path, {
            body: { state: `forced_${state}`, reason, expiresIn: given.text('for') },
          });
    const now = await understood(client, BreakerDetail, body, 'a breaker');
    const ends = now.expiresInMs === null ? '' : ` for ${age(now.expiresInMs)}`;
    context.stdout.write(`breaker of ${service.namespace}/${service.name}: ${now.state}${ends}\n`);
    return ExitCode.ok;
  },
};
