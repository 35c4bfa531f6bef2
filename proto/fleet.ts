/**
 * The codec of proto/weir/v1/fleet.proto, taken from the methods of its Fleet service by @grpc/proto-loader. The one
 * file in proto that touches the disk: it reads the .proto once, when it is first imported.
 *
 * Decoding never throws: bytes come from the network, so what is no such message, or lacks the part without which it
 * says nothing, is `undefined`, and the caller counts it.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { loadSync, type MethodDefinition } from '@grpc/proto-loader';
import type {
  Ack,
  Command,
  CommandReply,
  Draft,
  Endpoints,
  Grant,
  Heartbeat,
  Report,
  SlotResult,
  Verdict,
} from './fleet-messages.ts';

export type * from './fleet-messages.ts';

/** A longer message is not decoded. A heartbeat with a thousand targets stays far below. */
export const messageBytesMax = 1024 * 1024;

/** Now 1 for every message; a receiver takes any version, because fields are only added. */
export const messageVersion = 1;

type Method = MethodDefinition<object, object>;

const methods = load();

export const encodeHeartbeat = encoder<Heartbeat>(methods.beat.requestSerialize);
export const encodeAck = encoder<Ack>(methods.beat.responseSerialize);
export const encodeReport = encoder<Report>(methods.count.requestSerialize);
export const encodeGrant = encoder<Grant>(methods.count.responseSerialize);
export const encodeVerdict = encoder<Verdict>(methods.judge.requestSerialize);
export const encodeEndpoints = encoder<Endpoints>(methods.judge.responseSerialize);
export const encodeSlotResult = encoder<SlotResult>(methods.probe.requestSerialize);
export const encodeCommand = encoder<Command>(methods.tell.requestSerialize);
export const encodeCommandReply = encoder<CommandReply>(methods.tell.responseSerialize);

// The predicates check what protobuf cannot promise: that a nested message is there. The scalars and lists are
// present because the codec fills in defaults.
export const decodeHeartbeat = decoder(methods.beat.requestDeserialize, (m): m is Heartbeat => hasIdentity(m));
export const decodeAck = decoder(
  methods.beat.responseDeserialize,
  (m): m is Ack => hasIdentity(m) && 'applied' in m && m.applied !== null,
);
export const decodeReport = decoder(methods.count.requestDeserialize, (m): m is Report => hasIdentity(m));
export const decodeGrant = decoder(methods.count.responseDeserialize, (m): m is Grant => hasText(m, 'incarnation'));
export const decodeVerdict = decoder(
  methods.judge.requestDeserialize,
  (m): m is Verdict => hasText(m, 'target') && hasText(m, 'state'),
);
export const decodeSlotResult = decoder(
  methods.probe.requestDeserialize,
  (m): m is SlotResult => hasIdentity(m) && hasText(m, 'target'),
);
export const decodeEndpoints = decoder(methods.judge.responseDeserialize, (m): m is Endpoints => hasText(m, 'service'));
export const decodeCommand = decoder(methods.tell.requestDeserialize, (m): m is Command => hasText(m, 'name'));
export const decodeCommandReply = decoder(
  methods.tell.responseDeserialize,
  (m): m is CommandReply => 'ok' in m && typeof m.ok === 'boolean',
);

function encoder<T>(serialize: (value: object) => Buffer): (message: Omit<Draft<T>, 'v'>) => Buffer {
  return (message) => serialize({ ...message, v: messageVersion });
}

function decoder<T extends object>(
  deserialize: (bytes: Buffer) => object,
  isWhole: (message: object) => message is T,
): (bytes: Uint8Array) => T | undefined {
  return (bytes) => {
    if (bytes.length > messageBytesMax) return undefined;
    try {
      const message = deserialize(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
      return isWhole(message) ? message : undefined;
    } catch {
      return undefined;
    }
  };
}

function hasIdentity(message: object): boolean {
  if (!('identity' in message) || typeof message.identity !== 'object' || message.identity === null) return false;
  const { identity } = message;
  return hasText(identity, 'namespace') && hasText(identity, 'service') && hasText(identity, 'instance');
}

function hasText(message: object, field: string): boolean {
  const value: unknown = Reflect.get(message, field);
  return typeof value === 'string' && value !== '';
}

function load(): { beat: Method; count: Method; judge: Method; tell: Method; probe: Method } {
  const definition = loadSync(protoFile('fleet.proto'), { longs: Number, defaults: true, arrays: true, objects: true });
  const service = definition['weir.v1.Fleet'];
  if (!service || 'format' in service) throw new Error('fleet.proto does not define the service weir.v1.Fleet');
  const method = (name: string): Method => {
    const found = service[name];
    if (!found || !('requestSerialize' in found)) throw new Error(`fleet.proto does not define Fleet.${name}`);
    return found;
  };
  return {
    beat: method('Beat'),
    count: method('Count'),
    judge: method('Judge'),
    tell: method('Tell'),
    probe: method('Probe'),
  };
}

/** Beside the source, or in the package beside `dist`. */
export function protoFile(name: string): string {
  const candidates = [`./weir/v1/${name}`, `../../proto/weir/v1/${name}`].map((path) =>
    fileURLToPath(new URL(path, import.meta.url)),
  );
  const found = candidates.find((path) => existsSync(path));
  if (!found) throw new Error(`${name} is in none of ${candidates.join(', ')}`);
  return found;
}
