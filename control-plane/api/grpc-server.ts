/**
 * The gRPC side of the control plane: weir.v1.Control with the use cases of the API, grpc.health.v1.Health and server
 * reflection. Who may ask is decided as over HTTP (access.ts), by the metadata `authorization`; health and reflection are
 * open, for they tell nothing about the mesh. Loaded only when it is asked for.
 */
import {
  Metadata,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';
import { HealthImplementation } from 'grpc-health-check';
import { protoFile } from '../../proto/fleet.ts';
import type { Log } from '../../proto/kernel/log-format.ts';
import { formatHostPort, type HostPort } from '../../proto/kernel/options.ts';
import { mayAct, type Principal, type Role } from '../policy/roles.ts';
import type { Access } from './access.ts';
import { type ControlUseCases, controlMethods, document, textOf } from './grpc-methods.ts';
import { grpcCodeOf, type ProblemType, problem, problemOf } from './problem.ts';
import { byKey, changesOf, type Watched } from './resource-watch.ts';
import { watchedPolicies, watchedRollouts } from './watched-lists.ts';

export const messageBytesMax = 1024 * 1024;
/** Of one connection, at once. */
export const callsMax = 100;
export const watchersMax = 256;
/** What a watcher has not read; beyond it the watch ends, and begins anew with everything. */
export const unreadBytesMax = 4 * 1024 * 1024;
/** A problem travels in a trailer, which must stay small: beyond this it goes without its list. */
const problemBytesMax = 8 * 1024;
const serviceName = 'weir.v1.Control';
const healthEveryMs = 1_000;

export interface GrpcOptions extends ControlUseCases {
  readonly access: Access;
  readonly onResourceChange: (callback: () => void) => () => void;
  readonly log: Log;
}

type Details = Parameters<typeof problem>[1];

class Refused extends Error {
  readonly code: number;
  readonly details: string;
  readonly metadata = new Metadata();

  constructor(type: ProblemType, details: Details = {}) {
    const { current: _, ...view } = problem(type, details);
    const words = view.detail ?? view.errors?.map(({ pointer, message }) => `${pointer} ${message}`).join('; ');
    super(words ?? view.title);
    this.code = grpcCodeOf(type);
    this.details = (words ?? view.title).slice(0, 1_000);
    const whole = Buffer.from(JSON.stringify(view));
    const { errors: _errors, ...short } = view;
    this.metadata.set('weir-problem-bin', whole.length <= problemBytesMax ? whole : Buffer.from(JSON.stringify(short)));
  }
}

export class GrpcServer {
  private readonly options: GrpcOptions;
  private readonly server = new Server({
    'grpc.max_receive_message_length': messageBytesMax,
    'grpc.max_concurrent_streams': callsMax,
    'grpc.max_connection_age_grace_ms': 10_000,
  });
  private readonly health = new HealthImplementation({ '': 'NOT_SERVING', [serviceName]: 'NOT_SERVING' });
  private readonly timer: NodeJS.Timeout;
  private watchers = 0;

  constructor(options: GrpcOptions) {
    this.options = options;
    const loaded = loadSync(protoFile('control.proto'), { longs: Number, enums: String, defaults: true, arrays: true });
    const definition = loaded[serviceName];
    if (!definition || 'format' in definition) throw new Error(`control.proto does not define ${serviceName}`);
    this.server.addService(definition, this.implementation());
    this.health.addToServer(this.server);
    new ReflectionService(loaded).addToServer(this.server);
    this.timer = setInterval(() => this.tellHealth(), healthEveryMs);
    this.tellHealth();
  }

  /** Where it really listens. */
  async listen({ host, port }: HostPort): Promise<string> {
    const realPort = await new Promise<number>((resolve, reject) => {
      this.server.bindAsync(formatHostPort({ host, port }), ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      );
    });
    return formatHostPort({ host, port: realPort });
  }

  /** Watches never end by themselves, so nothing is waited for. */
  close(): void {
    clearInterval(this.timer);
    this.server.forceShutdown();
  }

  private tellHealth(): void {
    const status = this.options.policies.isLoaded() ? 'SERVING' : 'NOT_SERVING';
    for (const name of ['', serviceName]) this.health.setStatus(name, status);
  }

  private implementation(): UntypedServiceImplementation {
    const handlers: UntypedServiceImplementation = {};
    for (const [name, { role, answer }] of Object.entries(controlMethods(this.options))) {
      handlers[name] = (call: ServerUnaryCall<unknown, object>, callback: sendUnaryData<object>): void => {
        const needed = typeof role === 'function' ? role(call.request) : role;
        this.authorized(call, name, needed)
          .then(async (principal) => {
            const outcome = await answer(call.request, principal);
            if (outcome.kind === 'ok') return outcome.reply;
            const { type, details } = problemOf(outcome);
            throw new Refused(type, details);
          })
          .then(
            (reply) => callback(null, reply),
            (error: unknown) => callback(this.refusalOf(name, error)),
          );
      };
    }
    const { policies, rollouts } = this.options;
    handlers.WatchPolicies = (call: WatchCall) => this.watch('WatchPolicies', call, () => watchedPolicies(policies));
    handlers.WatchRollouts = (call: WatchCall) => this.watch('WatchRollouts', call, () => watchedRollouts(rollouts));
    return handlers;
  }

  private watch(name: string, call: WatchCall, listAll: () => Watched[]): void {
    this.authorized(call, name, 'viewer').then(
      (principal) => this.follow(call, principal, listAll),
      (error: unknown) => call.emit('error', this.refusalOf(name, error)),
    );
  }

  private follow(call: WatchCall, principal: Principal, listAll: () => Watched[]): void {
    if (this.watchers >= watchersMax) {
      call.emit('error', new Refused('full', { detail: 'too many watch already' }));
      return;
    }
    this.watchers++;
    const namespace = textOf(call.request, 'namespace');
    const list = (): Map<string, Watched> =>
      byKey(listAll().filter((one) => namespace === '' || one.namespace === namespace));
    let known: ReadonlyMap<string, Watched> = new Map();
    const look = (): void => {
      if (!this.options.access.isLive(principal)) return end(new Refused('unauthenticated'));
      if (call.writableLength > unreadBytesMax) return end(new Refused('full', { detail: 'it was not read' }));
      const now = list();
      for (const { type, one } of changesOf(known, now))
        call.write({ type: type.toUpperCase(), document: document(one.object, one.version) });
      known = now;
    };
    const stop = this.options.onResourceChange(look);
    // A token that is revoked ends the watch also when nothing changes.
    const timer = setInterval(look, 15_000);
    let isOver = false;
    const end = (error?: Refused): void => {
      if (isOver) return;
      isOver = true;
      this.watchers--;
      stop();
      clearInterval(timer);
      if (error) call.emit('error', error);
    };
    call.on('cancelled', () => end());
    call.on('close', () => end());
    call.on('error', () => end());
    look();
    if (!isOver) call.write({ type: 'SYNCED' });
  }

  private async authorized(
    call: { readonly metadata: Metadata; getPeer(): string },
    action: string,
    needed: Role,
  ): Promise<Principal> {
    const [shown] = call.metadata.get('authorization');
    const text = typeof shown === 'string' ? shown : undefined;
    const token = text === undefined ? undefined : /^Bearer +([!-~]{1,512})$/i.exec(text)?.[1];
    const { access, auditLog } = this.options;
    const principal = (await access.principalOf(token)) ?? access.anybody;
    if (principal && mayAct(principal.role, needed)) return principal;
    const why = principal
      ? `this needs the role ${needed}; ${principal.name} is ${principal.role}`
      : text === undefined
        ? 'there is no token'
        : 'the token is not valid';
    auditLog.denied({ by: principal?.name ?? '', action: `grpc ${action}`, why, from: call.getPeer() });
    throw new Refused(principal ? 'forbidden' : 'unauthenticated', { detail: why });
  }

  /** What is no refusal is a bug of ours, whose words are not for strangers. */
  private refusalOf(method: string, error: unknown): Refused {
    if (error instanceof Refused) return error;
    this.options.log.error('request failed', { method, error });
    return new Refused('internal');
  }
}

type WatchCall = ServerWritableStream<unknown, object>;
