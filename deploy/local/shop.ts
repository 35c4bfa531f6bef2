/**
 * The demo's gRPC contract at run time: definitions loaded from shop.proto, and one small client for unary calls. The
 * client is used by the `orders` service and by the load generator, so both measure the same code.
 */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, credentials, type Deadline, Metadata, type ServerUnaryCall, type ServiceError } from '@grpc/grpc-js';
import { loadSync, type MethodDefinition } from '@grpc/proto-loader';

/** The folder of package.json: both deploy/local and dist/deploy/local lie somewhere below it. */
export function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error(`no package.json above ${fileURLToPath(import.meta.url)}`);
    folder = parent;
  }
  return folder;
}

const definitions = loadSync(join(packageRoot(), 'deploy/local/shop.proto'), { longs: Number, defaults: true });

export type ShopService = 'Orders' | 'Payments' | 'Inventory';
export type ShopMethod = MethodDefinition<object, object>;

/** Every method of one service, by its name in the proto file. */
export function shopService(name: ShopService): Record<string, ShopMethod> {
  const found = definitions[`weir.demo.v1.${name}`];
  if (found === undefined || 'format' in found) throw new Error(`shop.proto has no service ${name}`);
  return Object.fromEntries(Object.entries(found));
}

function shopMethod(service: ShopService, method: string): ShopMethod {
  const found = shopService(service)[method];
  if (found === undefined) throw new Error(`shop.proto has no method ${service}.${method}`);
  return found;
}

export interface ShopClientOptions {
  /** host:port of one or several servers; several are used in turn. */
  readonly addresses: readonly string[];
  /** What to write into :authority, when it is not the address: the name by which a sidecar routes. */
  readonly authority?: string;
}

export interface UnaryCall {
  readonly deadline: Deadline;
  /** The call on whose behalf this one is made: its cancellation and deadline pass on. */
  readonly parent?: ServerUnaryCall<object, object>;
}

/** Unary calls to one method of one service. */
export class ShopClient {
  private readonly client: Client;
  private readonly method: ShopMethod;

  constructor(service: ShopService, method: string, options: ShopClientOptions) {
    this.method = shopMethod(service, method);
    this.client = new Client(`ipv4:${options.addresses.join(',')}`, credentials.createInsecure(), {
      'grpc.service_config': JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] }),
      // A retry would blur who refused what; transparent ones are counted as failures.
      'grpc.enable_retries': 0,
      // A demo restarts things on purpose: find them again soon.
      'grpc.initial_reconnect_backoff_ms': 200,
      'grpc.max_reconnect_backoff_ms': 1_000,
      ...(options.authority === undefined ? {} : { 'grpc.default_authority': options.authority }),
    });
  }

  call(request: object, options: UnaryCall, done: (error: ServiceError | null, answer?: object) => void): void {
    this.client.makeUnaryRequest(
      this.method.path,
      this.method.requestSerialize,
      this.method.responseDeserialize,
      request,
      new Metadata(),
      options,
      done,
    );
  }

  close(): void {
    this.client.close();
  }
}
