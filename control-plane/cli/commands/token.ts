/** `weir token ls|create|revoke|whoami`: who may use the API. */
import { CreatedTokenView, roleNames, TokenView, WhoAmIView } from '../../../proto/api-access.ts';
import { listed, understood } from '../answers.ts';
import { type ApiClient, connect } from '../api-client.ts';
import type { Arguments } from '../arguments.ts';
import { type Command, serverFlags } from '../command.ts';
import type { Context } from '../context.ts';
import { ExitCode, usageError } from '../exit-codes.ts';
import { formatOf, outputFlag, render } from '../formats.ts';
import { age } from '../numbers.ts';

const verbs = 'ls|create|revoke|whoami';

export const token: Command = {
  usage: `weir token ${verbs} [name | id]`,
  description:
    'Tokens for the API, each with a name, a role and an end. viewer sees everything; operator also pauses, resumes and\n' +
    'aborts rollouts; editor also changes policies; admin also makes tokens. A new token is printed once, alone on\n' +
    'stdout, and can be seen nowhere else.',
  flags: {
    ...outputFlag,
    role: { kind: 'choice', choices: roleNames, description: 'create: what it may do.', default: 'viewer' },
    'expires-in': { kind: 'duration', description: 'create: until it ends, at most 8784h.', default: '720h' },
    ...serverFlags,
  },
  positionalsMax: 2,
  examples: [
    'weir token create ci --role editor --expires-in 24h > ci.token',
    'weir token ls',
    'weir token revoke 3f2a9c01d4e5',
    'weir token whoami',
  ],
  async run(context, given) {
    const [verb, what] = given.positionals;
    const client = await connect(context, given);
    switch (verb) {
      case 'ls':
        return list(context, given, client);
      case 'create':
        return create(context, given, client, what);
      case 'revoke':
        return revoke(context, client, what);
      case 'whoami':
        return whoAmI(context, client);
      default:
        throw usageError(verb === undefined ? 'do what?' : `unknown verb "${verb}"`, verbs);
    }
  },
};

async function list(context: Context, given: Arguments, client: ApiClient): Promise<ExitCode> {
  const tokens = await listed(client, TokenView, '/v1/tokens', 'tokens');
  const nowMs = context.wallMs();
  context.stdout.write(
    await render(context, formatOf(given), {
      items: tokens,
      names: tokens.map(({ id }) => `token/${id}`),
      single: false,
      table: () => ({
        columns: ['ID', 'NAME', 'ROLE', 'BY', 'AGE', 'ENDS IN'],
        rows: tokens.map(({ id, name, role, by, createdAt, expiresAt }) => {
          const leftMs = Date.parse(expiresAt) - nowMs;
          const ends = leftMs > 0 ? age(leftMs) : { text: 'ended', style: 'red' as const };
          return [{ text: id, style: 'bold' as const }, name, role, by, age(nowMs - Date.parse(createdAt)), ends];
        }),
      }),
    }),
  );
  return ExitCode.ok;
}

async function create(
  context: Context,
  given: Arguments,
  client: ApiClient,
  name: string | undefined,
): Promise<ExitCode> {
  if (name === undefined) throw usageError('for whom?', 'weir token create <name> --role editor');
  const request = { name, role: given.text('role'), expiresIn: given.text('expires-in') };
  const { body } = await client.request('POST', '/v1/tokens', { body: request });
  const made = await understood(client, CreatedTokenView, body, 'a token');
  context.stderr.write(`token ${made.id} for ${made.name}, ${made.role}, until ${made.expiresAt}\n`);
  context.stdout.write(`${made.token}\n`);
  return ExitCode.ok;
}

async function revoke(context: Context, client: ApiClient, id: string | undefined): Promise<ExitCode> {
  if (id === undefined || !/^[0-9a-f]{12}$/.test(id)) {
    throw usageError(
      id === undefined ? 'which one?' : `"${id}" is not the id of a token`,
      '"weir token ls" shows them',
    );
  }
  const { body } = await client.request('DELETE', `/v1/tokens/${id}`);
  const revoked = await understood(client, TokenView, body, 'a token');
  context.stdout.write(`token ${revoked.id} of ${revoked.name} is revoked\n`);
  return ExitCode.ok;
}

async function whoAmI(context: Context, client: ApiClient): Promise<ExitCode> {
  const { body } = await client.request('GET', '/v1/whoami');
  const { name, role } = await understood(client, WhoAmIView, body, 'who you are');
  context.stdout.write(`${name} (${role})\n`);
  return ExitCode.ok;
}
