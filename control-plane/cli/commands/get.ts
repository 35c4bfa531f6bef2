/** `weir get services|instances|policies [name]`. */
import { type ApiClient, connect } from '../api-client.ts';
import type { Arguments } from '../arguments.ts';
import { type Command, namespaceFlag, serverFlags } from '../command.ts';
import type { Context } from '../context.ts';
import { CommandError, ExitCode, usageError } from '../exit-codes.ts';
import { formatOf, type Listing, outputFlag, render } from '../formats.ts';
import { listInstances, listPolicies, listServices } from '../lists.ts';
import { keyOf } from '../policy-documents.ts';
import { instancesTable } from '../views/instances.ts';
import { policiesTable } from '../views/policies.ts';
import { serviceKeyOf, servicesTable } from '../views/services.ts';
import { watch } from '../watch.ts';

const kinds = {
  services: 'services',
  service: 'services',
  svc: 'services',
  instances: 'instances',
  instance: 'instances',
  policies: 'policies',
  policy: 'policies',
} as const;

type Kind = (typeof kinds)[keyof typeof kinds];

export const get: Command = {
  usage: 'weir get services|instances|policies [name | namespace/name]',
  description:
    'Shows the services of the mesh with the worst first, the sidecars, or the policies.\n' +
    'Without -n it looks into all namespaces.',
  flags: {
    ...outputFlag,
    ...namespaceFlag,
    watch: { kind: 'boolean', short: 'w', description: 'Look again each second.' },
    ...serverFlags,
  },
  positionalsMax: 2,
  examples: [
    'weir get services',
    'weir get services -w -o wide',
    'weir get instances -n shop',
    'weir get policy shop/payments -o yaml',
    'weir get services -o json | jq \'.items[] | select(.breaker.state != "closed")\'',
  ],
  async run(context, given) {
    const kind = readKind(given.positionals[0]);
    const wanted = readName(given);
    const client = await connect(context, given);
    const format = formatOf(given);
    const picture = async (): Promise<string> => {
      const listing = await list(context, client, kind, wanted);
      if (listing.items.length === 0 && (format === 'table' || format === 'wide')) {
        context.stderr.write(`no ${kind}${wanted.namespace ? ` in namespace ${wanted.namespace}` : ''}\n`);
        return '';
      }
      return render(context, format, listing);
    };
    if (given.flag('watch')) return watch(context, picture);
    context.stdout.write(await picture());
    return ExitCode.ok;
  },
};

interface Wanted {
  readonly namespace: string | undefined;
  readonly name: string | undefined;
}

function readKind(word: string | undefined): Kind {
  const kind = Object.entries(kinds).find(([name]) => name === word)?.[1];
  if (kind) return kind;
  throw usageError(word === undefined ? 'get what?' : `unknown kind "${word}"`, 'services, instances or policies');
}

function readName(given: Arguments): Wanted {
  const namespace = given.text('namespace');
  const [, name] = given.positionals;
  if (name === undefined || !name.includes('/')) return { namespace, name };
  const [inName, rest] = name.split('/', 2);
  if (namespace !== undefined && namespace !== inName) throw usageError(`${name} is not in namespace ${namespace}`);
  return { namespace: inName, name: rest };
}

async function list(context: Context, client: ApiClient, kind: Kind, wanted: Wanted): Promise<Listing> {
  switch (kind) {
    case 'services': {
      const items = choose(await listServices(client), wanted, kind, ({ service }) => service);
      const worstFirst = items.toSorted((a, b) => b.attention - a.attention);
      return {
        items: worstFirst,
        names: worstFirst.map((view) => `service/${serviceKeyOf(view)}`),
        single: wanted.name !== undefined,
        table: (wide) => servicesTable(worstFirst, wide),
      };
    }
    case 'instances': {
      const items = choose(await listInstances(client), wanted, kind, ({ instance }) => instance);
      return {
        items,
        names: items.map(({ namespace, service, instance }) => `instance/${namespace}/${service}/${instance}`),
        // Two services may have an instance of the same name.
        single: wanted.name !== undefined && items.length === 1,
        table: (wide) => instancesTable(items, wide),
      };
    }
    case 'policies': {
      const items = choose(await listPolicies(client, wanted.namespace), wanted, kind, ({ name }) => name);
      if (wanted.name !== undefined && items.length > 1) {
        throw usageError(
          `several policies are named ${wanted.name}: ${items.map(keyOf).join(', ')}`,
          'say which with -n',
        );
      }
      return {
        items: items.map(({ value }) => value),
        names: items.map((document) => `policy/${keyOf(document)}`),
        single: wanted.name !== undefined,
        table: (wide) => policiesTable(items, context.wallMs(), wide),
      };
    }
  }
}

function choose<T extends { readonly namespace: string }>(
  all: readonly T[],
  { namespace, name }: Wanted,
  kind: Kind,
  nameOf: (item: T) => string,
): T[] {
  const found = all.filter(
    (item) =>
      (namespace === undefined || item.namespace === namespace) && (name === undefined || nameOf(item) === name),
  );
  if (name !== undefined && found.length === 0) {
    const where = namespace === undefined ? 'in any namespace' : `in namespace ${namespace}`;
    throw new CommandError(ExitCode.failed, `none of the ${kind} is named ${name} ${where}`);
  }
  return found;
}
