/** Settings of a sidecar that feeds its app from a queue (io/queue/work-queue.ts). */
import { defineOptions, type OptionValues } from '../../proto/kernel/options.ts';

const grpcPath = '/[A-Za-z_][A-Za-z0-9_.]{0,254}/[A-Za-z_][A-Za-z0-9_]{0,254}';

export const consumerOptions = defineOptions({
  consume: {
    kind: 'string',
    placeholder: 'jetstream:<stream>/<consumer>',
    pattern: /^jetstream:[A-Za-z0-9_-]{1,64}\/[A-Za-z0-9_-]{1,64}$/,
    description:
      'Take messages from this queue and give them to the app, as many at once as its concurrency limit has room for. A consumer that does not exist is made, for all subjects of the stream.',
  },
  consumeTo: {
    kind: 'string',
    placeholder: 'grpc:/<package.Service>/<Method>|http:/<path>',
    pattern: new RegExp(`^(grpc:${grpcPath}|http:/[!-~]{0,1023})$`),
    description:
      'How: a unary method, to which a message is its request as serialised protobuf, or a path that gets it by POST.',
  },
  consumeMax: {
    kind: 'integer',
    min: 1,
    max: 1000,
    default: 64,
    description: "Messages in the app's hands at once, at most; its concurrency limit goes before.",
  },
  consumeTimeout: {
    kind: 'duration',
    min: 100,
    max: 3_600_000,
    default: '30s',
    description:
      'How long the app may take for a message; then it has failed. Meanwhile the queue hears that it is worked on.',
  },
  consumeDeliveries: {
    kind: 'integer',
    min: 1,
    max: 1000,
    default: 8,
    description: 'Deliveries of a message that may fail before it goes to the dead letters (weir dlq).',
  },
  consumeTier: {
    kind: 'choice',
    choices: ['critical', 'high', 'normal', 'low', 'batch', 'background'],
    default: 'batch',
    description: 'How important messages are among the requests that callers send to the app.',
  },
});

export type ConsumerConfig = OptionValues<typeof consumerOptions>;

/** What no single option can know to be wrong. */
export function consumerConfigErrors(
  { consume, consumeTo }: ConsumerConfig,
  has: { readonly app: boolean; readonly nats: boolean },
): string[] {
  if ((consume === undefined) !== (consumeTo === undefined)) return ['--consume and --consume-to need each other'];
  if (consume === undefined) return [];
  return [
    ...(has.app ? [] : ['--consume needs --app: there is nobody to give messages to']),
    ...(has.nats ? [] : ['--consume needs --nats']),
  ];
}
