/** `weir audit`: what was done through the API, and what was denied, the newest first. */
import { AuditEntryView } from '../../../proto/api-access.ts';
import { isRecord } from '../../../proto/policy/problems.ts';
import { listed } from '../answers.ts';
import { connect } from '../api-client.ts';
import { type Command, serverFlags } from '../command.ts';
import { ExitCode, usageError } from '../exit-codes.ts';
import { formatOf, outputFlag, render } from '../formats.ts';
import { age, unknown } from '../numbers.ts';

const limitMax = 10_000;

export const audit: Command = {
  usage: 'weir audit',
  description: 'Shows who did what and when, and what was denied, the newest first.',
  flags: {
    ...outputFlag,
    kind: { kind: 'text', description: 'Only this: policy, rollout, token, denied, …', placeholder: 'kind' },
    limit: { kind: 'text', description: `At most so many, 1 to ${limitMax}.`, default: '50', placeholder: 'number' },
    ...serverFlags,
  },
  positionalsMax: 0,
  examples: ['weir audit', 'weir audit --kind denied', 'weir audit -o json --limit 1000'],
  async run(context, given) {
    const limit = Number(given.text('limit'));
    if (!Number.isInteger(limit) || limit < 1 || limit > limitMax) {
      throw usageError(`--limit takes a whole number from 1 to ${limitMax}`);
    }
    const kind = given.text('kind');
    const query = new URLSearchParams({
      limit: String(Math.min(200, limit)),
      ...(kind === undefined ? {} : { kind }),
    });
    const client = await connect(context, given);
    const entries = await listed(client, AuditEntryView, `/v1/audit?${query}`, 'the audit', limit);
    const nowMs = context.wallMs();
    context.stdout.write(
      await render(context, formatOf(given), {
        items: entries,
        names: entries.map(({ sequence }) => `audit/${sequence}`),
        single: false,
        table: () => ({
          columns: ['AGE', 'KIND', 'BY', 'WHAT'],
          rows: entries.map(({ at, kind: what, by, entry }) => [
            age(nowMs - Date.parse(at)),
            { text: what, style: what === 'denied' ? ('red' as const) : ('plain' as const) },
            by || unknown,
            inWords(entry),
          ]),
        }),
      }),
    );
    return ExitCode.ok;
  },
};

/** The fields of an entry that say something, in their order. */
function inWords(entry: unknown): string {
  if (!isRecord(entry)) return '';
  const told = Object.entries(entry).filter(([name]) => !['v', 'kind', 'at', 'by'].includes(name));
  return told
    .filter(([, value]) => (typeof value === 'string' && value !== '') || typeof value === 'number')
    .map(([name, value]) => `${name}=${String(value)}`)
    .join(' ');
}
