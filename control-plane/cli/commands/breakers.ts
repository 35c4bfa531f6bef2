/** `weir breakers`: the fleet's breakers, how they stand and why. */
import { BreakerDetail } from '../../../proto/api-breaker.ts';
import { listed } from '../answers.ts';
import { connect } from '../api-client.ts';
import { type Command, namespaceFlag, serverFlags } from '../command.ts';
import { CommandError, ExitCode } from '../exit-codes.ts';
import { formatOf, outputFlag, render } from '../formats.ts';
import { age, unknown } from '../numbers.ts';
import type { Cell } from '../table.ts';
import { breakerCell } from '../views/traffic-cells.ts';
import { watch } from '../watch.ts';

export const breakers: Command = {
  usage: 'weir breakers [namespace/service]',
  description:
    'Shows the breaker of each service that the fleet shares: its state, since when, by which rule and on what\n' +
    'evidence; with -o wide also who saw the most failures, whose failures are their own, and which endpoints are out.',
  flags: {
    ...outputFlag,
    ...namespaceFlag,
    watch: { kind: 'boolean', short: 'w', description: 'Look again each second.' },
    ...serverFlags,
  },
  positionalsMax: 1,
  examples: ['weir breakers', 'weir breakers -w', 'weir breakers shop/payments -o yaml'],
  async run(context, given) {
    const [wanted] = given.positionals;
    const namespace = given.text('namespace');
    const client = await connect(context, given);
    const path = namespace === undefined ? '/v1/breakers' : `/v1/breakers?namespace=${encodeURIComponent(namespace)}`;
    const picture = async (): Promise<string> => {
      const all = await listed(client, BreakerDetail, path, 'breakers');
      const shown = wanted === undefined ? all : all.filter(({ target }) => target === wanted);
      if (wanted !== undefined && shown.length === 0) {
        throw new CommandError(ExitCode.failed, `nobody has called ${wanted} lately`);
      }
      return render(context, formatOf(given), {
        items: shown,
        names: shown.map(({ target }) => `breaker/${target}`),
        single: wanted !== undefined && shown.length === 1,
        table: (wide) => ({
          columns: [
            ...['SERVICE', 'STATE', 'GENERATION', 'RULE', 'EVIDENCE'],
            ...(wide ? ['WORST', 'SUSPECTS', 'EJECTED'] : []),
          ],
          rows: shown.map((one) => (wide ? [...cells(one), ...wideCells(one)] : cells(one))),
        }),
      });
    };
    if (given.flag('watch')) return watch(context, picture);
    context.stdout.write(await picture());
    return ExitCode.ok;
  },
};

function cells(one: BreakerDetail): Cell[] {
  const ends = one.expiresInMs === null ? '' : `, ends in ${age(one.expiresInMs)}`;
  return [
    { text: one.zone === '' ? one.target : `${one.target} from ${one.zone}`, style: 'bold' },
    breakerCell(one.state, one.state === 'closed' ? '' : `${age(one.ageMs)}${ends}`),
    String(one.generation),
    one.rule || unknown,
    one.evidence || unknown,
  ];
}

function wideCells({ worst, suspects, ejected }: BreakerDetail): Cell[] {
  const voters = worst.map(({ instance, n, fail }) => `${instance} ${fail}/${n}`).join(', ');
  return [voters || unknown, suspects.join(', ') || unknown, ejected.join(', ') || unknown];
}
