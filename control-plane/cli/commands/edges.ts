/** `weir edges`: who calls whom, and how it goes. */
import { InstanceView } from '../../../proto/api.ts';
import { listed } from '../answers.ts';
import { connect } from '../api-client.ts';
import { type Command, namespaceFlag, serverFlags } from '../command.ts';
import { ExitCode } from '../exit-codes.ts';
import { formatOf, outputFlag, render } from '../formats.ts';
import { milliseconds, percent, rate } from '../numbers.ts';
import { rejectedCell } from '../views/traffic-cells.ts';
import { watch } from '../watch.ts';

interface Edge {
  readonly caller: string;
  readonly target: string;
  instances: number;
  requestsPerSecond: number;
  failuresPerSecond: number;
  readonly rejectedPerSecond: Record<string, number>;
  /** Of the instance that has it worst: percentiles cannot be averaged. */
  worstP99Ms: number | null;
}

export const edges: Command = {
  usage: 'weir edges',
  description:
    'Shows which service calls which, as the callers see it: requests, failures and refusals a second, and the p99 of\n' +
    'the instance that has it worst. Instances of which nothing is known are left out.',
  flags: {
    ...outputFlag,
    ...namespaceFlag,
    watch: { kind: 'boolean', short: 'w', description: 'Look again each second.' },
    ...serverFlags,
  },
  positionalsMax: 0,
  examples: ['weir edges', 'weir edges -n shop -w', 'weir edges -o json'],
  async run(context, given) {
    const namespace = given.text('namespace');
    const client = await connect(context, given);
    const path = namespace === undefined ? '/v1/instances' : `/v1/instances?namespace=${encodeURIComponent(namespace)}`;
    const picture = async (): Promise<string> => {
      const found = edgesOf(await listed(client, InstanceView, path, 'instances'));
      return render(context, formatOf(given), {
        items: found,
        names: found.map(({ caller, target }) => `edge/${caller}/${target}`),
        single: false,
        table: () => ({
          columns: ['CALLER', 'TARGET', 'INSTANCES', 'RPS', 'SUCCESS', 'WORST P99', 'REJECTED/S'],
          rows: found.map((edge) => [
            { text: edge.caller, style: 'bold' },
            edge.target,
            String(edge.instances),
            rate(edge.requestsPerSecond),
            percent(successOf(edge)),
            milliseconds(edge.worstP99Ms),
            rejectedCell(edge),
          ]),
        }),
      });
    };
    if (given.flag('watch')) return watch(context, picture);
    context.stdout.write(await picture());
    return ExitCode.ok;
  },
};

function edgesOf(instances: readonly InstanceView[]): Edge[] {
  const found = new Map<string, Edge>();
  for (const { namespace, service, outbound } of instances) {
    const caller = `${namespace}/${service}`;
    for (const { target, traffic } of outbound) {
      if (traffic.requestsPerSecond === null) continue;
      const key = `${caller} ${target}`;
      const edge: Edge = found.get(key) ?? {
        ...{ caller, target, instances: 0, requestsPerSecond: 0, failuresPerSecond: 0 },
        ...{ rejectedPerSecond: {}, worstP99Ms: null },
      };
      found.set(key, edge);
      edge.instances++;
      edge.requestsPerSecond += traffic.requestsPerSecond;
      edge.failuresPerSecond += traffic.failuresPerSecond ?? 0;
      for (const [reason, perSecond] of Object.entries(traffic.rejectedPerSecond)) {
        edge.rejectedPerSecond[reason] = (edge.rejectedPerSecond[reason] ?? 0) + perSecond;
      }
      if (traffic.p99Ms !== null) edge.worstP99Ms = Math.max(edge.worstP99Ms ?? 0, traffic.p99Ms);
    }
  }
  return [...found.values()].sort((a, b) => (`${a.caller} ${a.target}` < `${b.caller} ${b.target}` ? -1 : 1));
}

/** Of what reached the target. */
function successOf({ requestsPerSecond, failuresPerSecond, rejectedPerSecond }: Edge): number | null {
  const reached = Object.values(rejectedPerSecond).reduce((left, perSecond) => left - perSecond, requestsPerSecond);
  return reached <= 0 ? null : Math.max(0, reached - failuresPerSecond) / reached;
}
