/** Calls methods of a .proto by name, without generated code: what a script would do. */
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { loadSync, type MethodDefinition } from '@grpc/proto-loader';

export interface GrpcAnswer {
  readonly code: number;
  readonly details: string;
  readonly reply: Readonly<Record<string, unknown>>;
  /** The trailer `weir-problem-bin`. */
  readonly problem: unknown;
}

export class GrpcClient {
  private readonly client: Client;
  private readonly methods: Readonly<Record<string, MethodDefinition<object, object>>>;
  private readonly metadata: Readonly<Record<string, string>>;

  constructor(address: string, proto: string, service: string, metadata: Readonly<Record<string, string>> = {}) {
    this.client = new Client(address, credentials.createInsecure(), {
      // A connection of its own, with a bound of its own.
      'grpc.use_local_subchannel_pool': 1,
    });
    const loaded = loadSync(proto, { longs: Number, enums: String, defaults: true, arrays: true })[service];
    if (!loaded || 'format' in loaded) throw new Error(`${proto} does not define ${service}`);
    this.methods = loaded;
    this.metadata = metadata;
  }

  call(name: string, request: object, metadata: Readonly<Record<string, string>> = this.metadata): Promise<GrpcAnswer> {
    const { path, requestSerialize, responseDeserialize } = this.method(name);
    return new Promise((resolve) => {
      this.client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        metadataOf(metadata),
        { deadline: Date.now() + 10_000 },
        (error, reply) =>
          resolve(error ? refusalOf(error) : { code: 0, details: '', reply: { ...reply }, problem: null }),
      );
    });
  }

  /** What comes, until it is cancelled; `ended` answers the status code. */
  watch(name: string, request: object, onEvent: (event: Readonly<Record<string, unknown>>) => void) {
    const { path, requestSerialize, responseDeserialize } = this.method(name);
    const stream = this.client.makeServerStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
      metadataOf(this.metadata),
    );
    stream.on('data', (event: object) => onEvent({ ...event }));
    const ended = new Promise<number>((resolve) => {
      stream.on('error', (error: ServiceError) => resolve(error.code));
      stream.on('end', () => resolve(0));
    });
    return { ended, cancel: () => stream.cancel() };
  }

  /** The first answer of a stream in both directions. */
  converse(name: string, request: object): Promise<Readonly<Record<string, unknown>>> {
    const { path, requestSerialize, responseDeserialize } = this.method(name);
    const stream = this.client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadataOf({}));
    return new Promise((resolve, reject) => {
      stream.on('error', reject);
      stream.on('data', (reply: object) => {
        stream.end();
        resolve({ ...reply });
      });
      stream.write(request);
    });
  }

  close(): void {
    this.client.close();
  }

  private method(name: string): MethodDefinition<object, object> {
    const method = this.methods[name];
    if (!method) throw new Error(`no method ${name}`);
    return method;
  }
}

function metadataOf(fields: Readonly<Record<string, string>>): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(fields)) metadata.set(name, value);
  return metadata;
}

function refusalOf({ code, details, metadata }: ServiceError): GrpcAnswer {
  const [problem] = metadata.get('weir-problem-bin');
  return { code, details, reply: {}, problem: problem === undefined ? null : JSON.parse(problem.toString()) };
}
