/**
 * One instance of a demo service: a plain @grpc/grpc-js server that knows nothing of Weir, once for each of the two shops
 * (topology.ts). Its capacity is workers over service time (workers.ts); `orders` also calls `payments` and
 * `inventory`. A control port on loopback injects faults, into both shops alike:
 *
 *   GET  /                      what it is doing
 *   POST /fault?fail=100&slow=3 fails that share of requests (percent), works that many times slower
 *   POST /heal
 *   POST /connect/with          JSON {"payments": {"addresses": […], "authority": "payments.shop"}, …}
 *
 * Upstreams arrive through /connect rather than as flags, so that all processes of the demo can start at once.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';
import {
  Metadata,
  type MethodDefinition,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServiceError,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';
import { type Random, XorShift32 } from '../../proto/kernel/random.ts';
import { ShopClient, type ShopService, shopService } from './shop.ts';
import { Ticker } from './ticker.ts';
import { type Side, sides } from './topology.ts';
import { Workers } from './workers.ts';

type Call = ServerUnaryCall<object, object>;
type Reply = sendUnaryData<object>;

/** What a caller must learn from a refusal further down, passed on unchanged. */
const passedOn = ['weir-reason', 'grpc-retry-pushback-ms'];

/** A failing dependency answers fast: this is the time it takes to say so. */
const failMs = 3;

const upstreamOf: Record<string, { service: ShopService; method: string } | undefined> = {
  Place: { service: 'Payments', method: 'Charge' },
  Check: { service: 'Inventory', method: 'Reserve' },
};

/** What breaks on purpose; one for the process. */
interface Fault {
  failPercent: number;
  slowFactor: number;
}

class DemoService {
  readonly workers: Workers;
  served = 0;
  private readonly instance: string;
  private readonly serviceMs: number;
  private readonly random: Random;
  private readonly fault: Fault;
  private readonly ticker: Ticker;
  private readonly upstreams = new Map<ShopService, ShopClient>();

  constructor(options: {
    instance: string;
    workers: number;
    queueMax: number;
    serviceMs: number;
    seed: number;
    fault: Fault;
    ticker: Ticker;
  }) {
    this.instance = options.instance;
    this.workers = new Workers(options);
    this.serviceMs = options.serviceMs;
    this.random = new XorShift32(options.seed);
    this.fault = options.fault;
    this.ticker = options.ticker;
  }

  connect(service: ShopService, client: ShopClient): void {
    this.upstreams.get(service)?.close();
    this.upstreams.set(service, client);
  }

  /** Takes a worker, works, calls the upstream if the method has one, answers. */
  handle(method: string, call: Call, reply: Reply): void {
    if (this.fault.failPercent > 0 && this.random.next() * 100 < this.fault.failPercent) {
      this.ticker.after(failMs, () => reply({ code: status.UNAVAILABLE, details: `${this.instance}: injected fault` }));
      return;
    }
    const workedMs = this.serviceMs * this.fault.slowFactor * (0.8 + 0.4 * this.random.next());
    const accepted = this.workers.enter(() => {
      this.ticker.after(workedMs, () => {
        this.workers.leave();
        this.served++;
        this.answer(method, call, reply, workedMs);
      });
    });
    if (!accepted) reply({ code: status.RESOURCE_EXHAUSTED, details: `${this.instance}: too many requests waiting` });
  }

  private answer(method: string, call: Call, reply: Reply, workedMs: number): void {
    const upstream = upstreamOf[method];
    if (upstream === undefined) {
      reply(null, { by: this.instance, workedMs });
      return;
    }
    const client = this.upstreams.get(upstream.service);
    if (client === undefined) {
      reply({ code: status.UNAVAILABLE, details: `${this.instance}: not connected to ${upstream.service} yet` });
      return;
    }
    client.call(call.request, { deadline: call.getDeadline(), parent: call }, (error, answer) => {
      if (error) reply(forwarded(error));
      else reply(null, answer ?? {});
    });
  }
}

function forwarded(error: ServiceError): Partial<ServiceError> {
  const metadata = new Metadata();
  for (const name of passedOn) {
    for (const value of error.metadata?.get(name) ?? []) metadata.set(name, value);
  }
  return { code: error.code, details: error.details, metadata };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of request) {
    body += String(chunk);
    if (body.length > 65_536) throw new Error('body above 64 KiB');
  }
  return body;
}

interface UpstreamSpec {
  readonly addresses: readonly string[];
  readonly authority?: string;
}

function parseUpstream(value: unknown): UpstreamSpec | undefined {
  if (typeof value !== 'object' || value === null || !('addresses' in value) || !Array.isArray(value.addresses))
    return undefined;
  const addresses = value.addresses.map(String);
  return 'authority' in value && typeof value.authority === 'string'
    ? { addresses, authority: value.authority }
    : { addresses };
}

interface Instance {
  readonly name: string;
  readonly fault: Fault;
  readonly shops: Readonly<Record<Side, DemoService>>;
}

function stateOf({ name, fault, shops }: Instance): object {
  const shop = ({ served, workers: { busy, queued } }: DemoService): object => ({ served, busy, queued });
  return { instance: name, ...fault, without: shop(shops.without), with: shop(shops.with) };
}

async function control(instance: Instance, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://control');
  const answer = (code: number, body: object): void => {
    response.writeHead(code, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`);
  };
  if (request.method === 'GET' && url.pathname === '/') return answer(200, stateOf(instance));
  // A page in some browser may not break the shop.
  if (request.headers.origin !== undefined) return answer(403, { error: 'not for browsers' });
  if (request.method !== 'POST') return answer(405, { error: 'POST /fault?fail=&slow=, POST /heal, GET /' });
  const side = sides.find((name) => url.pathname === `/connect/${name}`);
  if (url.pathname === '/heal') Object.assign(instance.fault, { failPercent: 0, slowFactor: 1 });
  else if (url.pathname === '/fault') {
    const failPercent = Number(url.searchParams.get('fail') ?? 0);
    const slowFactor = Number(url.searchParams.get('slow') ?? 1);
    if (!(failPercent >= 0 && failPercent <= 100)) return answer(400, { error: 'fail is a percentage, 0 to 100' });
    if (!(slowFactor >= 0.1 && slowFactor <= 100)) return answer(400, { error: 'slow is a factor, 0.1 to 100' });
    Object.assign(instance.fault, { failPercent, slowFactor });
  } else if (side !== undefined) {
    const wanted: unknown = JSON.parse(await bodyOf(request));
    if (typeof wanted !== 'object' || wanted === null) return answer(400, { error: 'an object is expected' });
    for (const [name, value] of Object.entries(wanted)) {
      const upstream = Object.values(upstreamOf).find((known) => known?.service.toLowerCase() === name);
      const spec = parseUpstream(value);
      if (upstream === undefined || spec === undefined)
        return answer(400, { error: `${name}: unknown, or no addresses` });
      instance.shops[side].connect(upstream.service, new ShopClient(upstream.service, upstream.method, spec));
    }
  } else return answer(404, { error: `no ${url.pathname} here` });
  answer(200, stateOf(instance));
}

async function serve(methods: Record<string, MethodDefinition<object, object>>, service: DemoService): Promise<string> {
  const server = new Server();
  server.addService(
    methods,
    Object.fromEntries(
      Object.keys(methods).map((name) => [name, (call: Call, reply: Reply) => service.handle(name, call, reply)]),
    ),
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return `127.0.0.1:${port}`;
}

function definitionOf(kind: string): {
  service: ShopService;
  methods: Record<string, MethodDefinition<object, object>>;
} {
  for (const service of ['Orders', 'Payments', 'Inventory'] as const) {
    if (service.toLowerCase() === kind) return { service, methods: shopService(service) };
  }
  throw new Error(`--kind is orders, payments or inventory, not ${kind}`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      kind: { type: 'string', default: '' },
      instance: { type: 'string', default: 'demo-0' },
      workers: { type: 'string', default: '8' },
      'queue-max': { type: 'string', default: '500' },
      'service-ms': { type: 'string', default: '10' },
      seed: { type: 'string', default: '1' },
    },
  });
  // grpc-js makes an Error for every refusal; nobody reads where in it.
  Error.stackTraceLimit = 0;
  const { methods } = definitionOf(values.kind);
  const fault: Fault = { failPercent: 0, slowFactor: 1 };
  const ticker = new Ticker();
  // The same seed on both sides: they are given the same luck.
  const shop = (): DemoService =>
    new DemoService({
      instance: values.instance,
      workers: Number(values.workers),
      queueMax: Number(values['queue-max']),
      serviceMs: Number(values['service-ms']),
      seed: Number(values.seed),
      fault,
      ticker,
    });
  const instance: Instance = { name: values.instance, fault, shops: { without: shop(), with: shop() } };
  const door = createServer((request, response) => {
    control(instance, request, response).catch((error: unknown) => {
      response
        .writeHead(400, { 'content-type': 'application/json' })
        .end(`${JSON.stringify({ error: String(error) })}\n`);
    });
  });
  const listening = {
    msg: 'listening',
    without: await serve(methods, instance.shops.without),
    with: await serve(methods, instance.shops.with),
    control: await new Promise<string>((resolve) => {
      door.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${portOf(door.address())}`));
    }),
  };
  process.stdout.write(`${JSON.stringify(listening)}\n`);

  const end = (): void => process.exit(0);
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
  // The demo holds the other end of stdin: when it dies, by whatever signal, so does this.
  process.stdin.on('end', end).resume();
}

function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === 'string') throw new Error('the control port has no number');
  return address.port;
}

await main();
