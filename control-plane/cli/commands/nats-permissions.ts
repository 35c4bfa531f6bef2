/** `weir nats-permissions`: what to allow a sidecar, or the control plane, at NATS. Made from the subjects in use. */
import {
  asJwtPermissions,
  asServerConfig,
  controlPlanePermissions,
  type NatsPermissions,
  type SidecarScope,
  sidecarPermissions,
  templateScope,
} from '../../../proto/nats-permissions.ts';
import { parseServiceKey, type ServiceName } from '../../../proto/subjects.ts';
import type { Arguments } from '../arguments.ts';
import type { Command } from '../command.ts';
import { ExitCode, usageError } from '../exit-codes.ts';

export const natsPermissions: Command = {
  usage: 'weir nats-permissions control-plane|sidecar|template',
  description:
    'Prints the permissions that a client of NATS needs, and no others: of the control plane, of the sidecars of one\n' +
    "service, or the template of a scoped signing key, which makes each sidecar's from its user's name and tags.",
  flags: {
    service: { kind: 'text', description: 'The service that the sidecar stands beside.', placeholder: 'ns/svc' },
    instance: {
      kind: 'text',
      description: 'Only this instance of it; else all, and they can speak for each other.',
      placeholder: 'name',
    },
    target: { kind: 'list', description: 'A service that it calls. Repeatable.', placeholder: 'ns/svc' },
    consume: {
      kind: 'text',
      description: 'The queue that it feeds its app from (--consume of the sidecar).',
      placeholder: 'stream/consumer',
    },
    output: {
      kind: 'choice',
      short: 'o',
      choices: ['conf', 'jwt'],
      default: 'conf',
      description: "conf: a block of nats-server's configuration; jwt: claims of a user or signing key.",
    },
  },
  positionalsMax: 1,
  examples: [
    'weir nats-permissions sidecar --service shop/orders --target shop/payments',
    'weir nats-permissions sidecar --service shop/orders --instance orders-0 -o jwt',
    'weir nats-permissions template -o jwt',
    'weir nats-permissions control-plane',
  ],
  async run(context, given) {
    const permissions = permissionsOf(given);
    const isJwt = given.text('output') === 'jwt';
    const shown = isJwt ? `${JSON.stringify(asJwtPermissions(permissions), null, 2)}\n` : asServerConfig(permissions);
    context.stdout.write(shown);
    return ExitCode.ok;
  },
};

function permissionsOf(given: Arguments): NatsPermissions {
  const who = given.positionals[0];
  if (who === 'control-plane') return controlPlanePermissions();
  if (who === 'template') return sidecarPermissions(templateScope);
  if (who !== 'sidecar') throw usageError('whose permissions?', 'control-plane, sidecar or template');
  const instance = given.text('instance') ?? '*';
  if (instance !== '*' && !/^[A-Za-z0-9_-]{1,253}$/.test(instance)) {
    throw usageError(`--instance: "${instance}" is not of letters, digits, - and _`);
  }
  const targets = given.list('target').map((target) => serviceOf(target, '--target'));
  const service = serviceOf(given.text('service') ?? '', '--service');
  return sidecarPermissions({ service, instance, targets, ...consumesOf(given.text('consume')) });
}

function consumesOf(text: string | undefined): Pick<SidecarScope, 'consumes'> {
  if (text === undefined) return {};
  const [, stream, consumer] = /^(?:jetstream:)?([A-Za-z0-9_-]{1,64})\/([A-Za-z0-9_-]{1,64})$/.exec(text) ?? [];
  if (stream === undefined || consumer === undefined) throw usageError(`--consume: "${text}" is not stream/consumer`);
  return { consumes: { stream, consumer } };
}

function serviceOf(text: string, flag: string): ServiceName {
  const service = parseServiceKey(text);
  if (!service) throw usageError(`${flag}: "${text}" is not <namespace>/<service>`);
  return service;
}
