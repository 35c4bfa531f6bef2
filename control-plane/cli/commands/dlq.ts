/** `weir dlq ls|show|redrive|discard|export`: parked requests that could not be delivered. */

import { notUnderstood } from '../answers.ts';
import { type ApiClient, connect } from '../api-client.ts';
import type { Arguments } from '../arguments.ts';
import { type Command, serverFlags } from '../command.ts';
import type { Context } from '../context.ts';
import { type DeadLetterRow, deadLetter, deadLetters, isRedrive } from '../dead-letters.ts';
import { CommandError, ExitCode, usageError } from '../exit-codes.ts';
import { formatOf, outputFlag, render } from '../formats.ts';
import { deadLettersTable } from '../views/dead-letters.ts';

/** `ls` shows so many and says that there are more; `export` has no end. */
const listedMax = 1000;
const pollMs = 500;

export const dlq: Command = {
  usage: 'weir dlq ls|show|redrive|discard|export [number | namespace/service]',
  description:
    'Dead letters: parked requests that failed too often, were too old, or are not valid.\n' +
    'ls lists them; show prints one with its body; redrive sends one, or all of a service, again at a rate and waits for\n' +
    'it (it goes on after Ctrl-C); discard throws one, or with --all those of a service, away; export prints JSON lines.',
  flags: {
    ...outputFlag,
    rate: { kind: 'text', description: 'Letters a second that are sent again.', default: '10', placeholder: 'number' },
    limit: { kind: 'text', description: 'At most so many are sent again.', placeholder: 'number' },
    all: { kind: 'boolean', description: 'discard: all of the service.' },
    ...serverFlags,
  },
  positionalsMax: 2,
  examples: [
    'weir dlq ls shop/payments',
    'weir dlq show 17',
    'weir dlq redrive shop/payments --rate 5',
    'weir dlq discard 17',
    'weir dlq discard shop/payments --all',
    'weir dlq export shop/payments > dead.ndjson',
  ],
  async run(context, given) {
    const [verb, what] = given.positionals;
    const client = await connect(context, given);
    switch (verb) {
      case 'ls':
        return list(context, given, client, what === undefined ? undefined : serviceIn(what));
      case 'show':
        return show(context, given, client, numberIn(what));
      case 'redrive':
        return /^[0-9]+$/.test(what ?? '')
          ? redriveOne(context, client, numberIn(what))
          : redrive(context, given, client, serviceIn(what));
      case 'discard':
        return discard(context, given, client, what);
      case 'export':
        return exportAll(context, client, what === undefined ? undefined : serviceIn(what));
      default:
        throw usageError(
          verb === undefined ? 'do what?' : `unknown verb "${verb}"`,
          'ls, show, redrive, discard or export',
        );
    }
  },
};

async function list(
  context: Context,
  given: Arguments,
  client: ApiClient,
  service: string | undefined,
): Promise<ExitCode> {
  const rows: DeadLetterRow[] = [];
  for await (const row of deadLetters(client, service)) {
    if (rows.length === listedMax) {
      context.stderr.write(`the oldest ${listedMax}; "weir dlq export" has all\n`);
      break;
    }
    rows.push(row);
  }
  const format = formatOf(given);
  if (rows.length === 0 && (format === 'table' || format === 'wide')) {
    context.stderr.write('no dead letters\n');
    return ExitCode.ok;
  }
  const names = rows.map(({ sequence }) => `dead-letter/${sequence}`);
  const table = (wide: boolean) => deadLettersTable(rows, context.wallMs(), wide);
  context.stdout.write(await render(context, format, { items: rows, names, single: false, table }));
  return ExitCode.ok;
}

async function show(context: Context, given: Arguments, client: ApiClient, sequence: number): Promise<ExitCode> {
  const letter = await deadLetter(client, sequence);
  const format = formatOf(given);
  const asked = format === 'json' ? 'json' : 'yaml';
  const names = [`dead-letter/${sequence}`];
  const table = (wide: boolean) => deadLettersTable([letter], context.wallMs(), wide);
  context.stdout.write(await render(context, asked, { items: [letter], names, single: true, table }));
  return ExitCode.ok;
}

async function redriveOne(context: Context, client: ApiClient, sequence: number): Promise<ExitCode> {
  await client.request('POST', `/v1/dead-letters/${sequence}/redrive`);
  context.stdout.write(`dead letter ${sequence} is parked again\n`);
  return ExitCode.ok;
}

/** The control plane does it; we look on. */
async function redrive(context: Context, given: Arguments, client: ApiClient, service: string): Promise<ExitCode> {
  const path = `/v1/redrives/${service}`;
  const limit = given.text('limit');
  const query = new URLSearchParams({
    rate: numberText(given.text('rate') ?? '10', '--rate'),
    ...(limit === undefined ? {} : { limit: numberText(limit, '--limit') }),
  });
  await client.request('POST', `${path}?${query}`);
  for (;;) {
    const { body } = await client.request('GET', path);
    if (!isRedrive(body)) throw notUnderstood(client, 'a redrive');
    if (body.state !== 'running') {
      const skipped = body.skipped > 0 ? `, ${body.skipped} cannot be read and stay` : '';
      context.stdout.write(`${body.moved} dead letters of ${service} are parked again${skipped}\n`);
      return body.state === 'done' ? ExitCode.ok : ExitCode.failed;
    }
    if (body.problem !== '') context.stderr.write(`${body.moved} so far; it does not get on: ${body.problem}\n`);
    await context.sleep(pollMs);
    if (!context.interrupted.aborted) continue;
    throw new CommandError(
      ExitCode.interrupted,
      `interrupted after ${body.moved}`,
      `it goes on: DELETE ${path} stops it`,
    );
  }
}

async function discard(
  context: Context,
  given: Arguments,
  client: ApiClient,
  what: string | undefined,
): Promise<ExitCode> {
  const path = given.flag('all')
    ? `/v1/dead-letters?${new URLSearchParams({ service: serviceIn(what) })}`
    : `/v1/dead-letters/${numberIn(what)}`;
  const { body } = await client.request('DELETE', path);
  const count = typeof body === 'object' && body !== null ? Reflect.get(body, 'discarded') : undefined;
  if (typeof count !== 'number') throw notUnderstood(client, 'what was discarded');
  context.stdout.write(`${count} dead ${count === 1 ? 'letter' : 'letters'} discarded\n`);
  return ExitCode.ok;
}

async function exportAll(context: Context, client: ApiClient, service: string | undefined): Promise<ExitCode> {
  for await (const { sequence } of deadLetters(client, service)) {
    context.stdout.write(`${JSON.stringify(await deadLetter(client, sequence))}\n`);
  }
  return ExitCode.ok;
}

function serviceIn(text: string | undefined): string {
  if (text !== undefined && /^[a-z0-9-]+\/[a-z0-9-]+$/.test(text)) return text;
  throw usageError(
    text === undefined ? 'of which service?' : `"${text}" is not namespace/service`,
    'such as shop/payments',
  );
}

function numberIn(text: string | undefined): number {
  if (text !== undefined && /^[1-9][0-9]{0,15}$/.test(text)) return Number(text);
  throw usageError(
    text === undefined ? 'which one?' : `"${text}" is not the number of a dead letter`,
    '"weir dlq ls" shows the numbers',
  );
}

function numberText(text: string, flag: string): string {
  if (/^[0-9]{1,7}([.][0-9]{1,3})?$/.test(text)) return text;
  throw usageError(`${flag}: "${text}" is not a number`);
}
