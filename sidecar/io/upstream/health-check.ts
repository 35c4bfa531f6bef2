/**
 * One question to one endpoint, over the connections that requests use: what it proves is the way that they go. It ends
 * with a judgement, exactly once and within its time.
 */
import { Reason } from '../../../proto/reasons.ts';
import { type HttpStream, Protocol, type UpstreamConnection, type UpstreamWaiter } from '../../exchange/http-stream.ts';
import type { MeshToken } from '../../exchange/mesh-token.ts';
import { ErrorCode } from '../../http2/constants.ts';
import { HeaderList } from '../../http2/hpack/field.ts';
import { ResetCause, type StreamHandler } from '../../http2/stream.ts';
import type { HealthCheckSettings, HealthProbe } from '../../resilience/health.ts';
import {
  answerBytesMax,
  healthRequest,
  type Judgement,
  judgeGrpc,
  judgeHttp,
} from '../../resilience/health-verdict.ts';
import { tick } from '../clock.ts';
import type { UpstreamPool } from './pool.ts';

export interface HealthCheckOptions {
  /** As the pool takes it. */
  readonly address: string;
  /** The endpoint's address in plain form. */
  readonly authority: string;
  readonly settings: HealthCheckSettings;
  readonly pool: UpstreamPool;
  /** Shown to the sidecar on the other side; null where there is none. */
  readonly meshToken: MeshToken | null;
  readonly onEnd: (judgement: Judgement) => void;
}

export class HealthCheck implements UpstreamWaiter, StreamHandler {
  private readonly options: HealthCheckOptions;
  private readonly protocol: number;
  private readonly timer: NodeJS.Timeout;
  private stream: HttpStream | null = null;
  private isOver = false;
  private status = 0;
  private grpcStatus = '';
  private weirReason = '';
  private content: Buffer = Buffer.alloc(0);

  constructor(options: HealthCheckOptions) {
    const { probe, timeoutMs } = options.settings;
    this.options = options;
    this.protocol = probe.kind === 'grpc' || probe.protocol === 'http2' ? Protocol.http2 : Protocol.http1;
    this.timer = setTimeout(() => this.onTimer(), timeoutMs);
    this.timer.unref();
  }

  begin(): void {
    const { pool, address, settings } = this.options;
    pool.connect(address, this.protocol, settings.timeoutMs, this);
  }

  /** Without a judgement. */
  abort(): void {
    if (!this.isOver) this.stop();
  }

  onConnection(connection: UpstreamConnection): void {
    if (this.isOver) return;
    const { authority, settings, meshToken } = this.options;
    const plain = requestHead(settings.probe, authority, settings.timeoutMs);
    const head = meshToken === null ? plain : meshToken.add(plain);
    const { probe } = settings;
    this.stream = connection.request(head, probe.kind === 'http', this);
    if (probe.kind === 'grpc') {
      const message = healthRequest(probe.service);
      this.stream.sendData(message, 0, message.length, true);
    }
  }

  onConnectFailed(reason: number, detail: string): void {
    if (reason === Reason.upstreamConnect) this.end({ verdict: 'unhealthy', detail });
    else this.end({ verdict: 'unknown', detail });
  }

  onHeaders(list: HeaderList, endStream: boolean): void {
    if (list.status < 200) return;
    this.status = list.status;
    this.weirReason = list.get('weir-reason') ?? '';
    this.grpcStatus = list.grpcStatus;
    if (endStream || this.options.settings.probe.kind === 'http') this.judge();
  }

  onData(buf: Buffer, start: number, end: number, endStream: boolean): void {
    this.stream?.credit(end - start);
    this.content = Buffer.concat([this.content, buf.subarray(start, end)]);
    if (endStream || this.content.length > answerBytesMax) this.judge();
  }

  onTrailers(list: HeaderList): void {
    this.grpcStatus = list.grpcStatus;
    this.weirReason ||= list.get('weir-reason') ?? '';
    this.judge();
  }

  onReset(code: number, cause: number): void {
    const refused = cause === ResetCause.unprocessed || (cause === ResetCause.peer && code === ErrorCode.refusedStream);
    this.end({ verdict: refused ? 'unknown' : 'unhealthy', detail: `the stream was reset, code ${code}` });
  }

  private judge(): void {
    const { probe } = this.options.settings;
    if (probe.kind === 'http' || this.status !== 200) {
      return this.end(judgeHttp(this.status, probe.kind === 'http' ? probe.statuses : grpcStatuses, this.weirReason));
    }
    this.end(judgeGrpc(this.grpcStatus, this.content, this.weirReason));
  }

  /** After a pause of our own the answer may lie unread: whatever can be read comes before the check phase. */
  private onTimer(): void {
    setImmediate(() => {
      if (!this.isOver) this.onTimeout();
    });
  }

  private onTimeout(): void {
    tick();
    const { pool, address, settings } = this.options;
    // Every stream to the endpoint is taken by requests: that is our load, and no sign of its health.
    const isCrowded = this.stream === null && pool.isConnected(address);
    const detail = `no answer in ${settings.timeoutMs} ms`;
    this.end({ verdict: isCrowded ? 'unknown' : 'unhealthy', detail });
  }

  private end(judgement: Judgement): void {
    if (this.isOver) return;
    this.stop();
    this.options.onEnd(judgement);
  }

  private stop(): void {
    this.isOver = true;
    clearTimeout(this.timer);
    const { pool, address } = this.options;
    if (this.stream === null) pool.cancel(address, this.protocol, this);
    else if (!this.stream.isClosed) {
      this.stream.handler = null;
      this.stream.reset(ErrorCode.cancel);
    }
  }
}

/** An HTTP status other than 200 is no gRPC answer, and none is expected. */
const grpcStatuses: readonly number[] = [200];

function requestHead(probe: HealthProbe, address: string, timeoutMs: number): HeaderList {
  const authority = address.startsWith('unix:') ? 'localhost' : address;
  const common: [string, string][] = [
    [':scheme', 'http'],
    [':authority', authority],
    ['user-agent', 'weir-health-check'],
  ];
  if (probe.kind === 'http') return HeaderList.of([[':method', 'GET'], [':path', probe.path], ...common]);
  return HeaderList.of([
    [':method', 'POST'],
    [':path', '/grpc.health.v1.Health/Check'],
    ...common,
    ['content-type', 'application/grpc'],
    ['te', 'trailers'],
    ['grpc-timeout', `${Math.ceil(timeoutMs)}m`],
  ]);
}
