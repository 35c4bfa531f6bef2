/**
 * Listening sockets for several threads. A worker can listen on a descriptor that the main thread bound, but the worker's
 * end closes it for the whole process, and with a number that is soon somebody else's nothing is safe any more. So every
 * worker gets a duplicate of its own; the original stays with the main thread, which never listens on it itself. Node has
 * no dup(), but a Unix socket hands descriptors over as duplicates (SCM_RIGHTS), also from a process to itself, and
 * node's own pipes speak that, since child processes are given sockets so. (SO_REUSEPORT would need neither, but node has
 * it from 22.12 on only, and the connections waiting at a worker that dies would die with it.)
 *
 * This reaches into node's internals and is the only file that does so for this purpose; what is not there is a clear
 * error at the start of `--concurrency`, tested on each version of node.
 */
import { randomBytes } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ListenAddress } from '../../../proto/kernel/options.ts';
import { removeStaleSocket } from '../stale-socket.ts';

const handOverTimeoutMs = 2_000;
const tcpServer = 1;
const pipeServer = 1;
const pipeForDescriptors = 2;

interface Handle {
  readonly fd: number;
  close(): void;
  unref(): void;
}

interface SocketHandle extends Handle {
  bind(...where: (string | number)[]): number;
}

interface TcpHandle extends SocketHandle {
  bind6(host: string, port: number, flags: number): number;
  getsockname(into: { address?: string; port?: number; family?: string }): number;
}

interface PipeHandle extends SocketHandle {
  pendingHandle: unknown;
  onread: (bytes?: ArrayBuffer) => void;
  open(fd: number): number;
  connect(request: object, path: string): number;
  readStart(): number;
  writeUtf8String(request: object, text: string, handle: Handle): number;
}

/** A bound socket on which nobody listens yet. */
export interface BoundSocket {
  /** As text, `host:port` or `unix:path`. */
  readonly address: string;
  /** A descriptor of its own for one worker. */
  duplicate(): Promise<number>;
  close(): void;
}

/** Throws when the address cannot be had. */
export async function bindSocket(address: ListenAddress): Promise<BoundSocket> {
  if ('path' in address) await removeStaleSocket(address.path);
  const handle = 'path' in address ? bindPath(address.path) : await bindTcp(address.host, address.port);
  const where = 'path' in address ? `unix:${address.path}` : addressOf(handle, address.host, address.port);
  return {
    address: where,
    duplicate: () => duplicateOf(handle),
    close: () => {
      handle.close();
      if ('path' in address) rmSync(address.path, { force: true });
    },
  };
}

function bindPath(path: string): SocketHandle {
  const handle = make(internals('pipe_wrap').Pipe, pipeServer);
  if (!isSocketHandle(handle)) throw missing('Pipe');
  if (handle.bind(path) !== 0) throw new Error(`cannot bind unix:${path}`);
  return handle;
}

async function bindTcp(host: string, port: number): Promise<TcpHandle> {
  const handle = make(internals('tcp_wrap').TCP, tcpServer);
  if (!isTcpHandle(handle)) throw missing('TCP');
  const { address, family } = await lookup(host);
  if ((family === 6 ? handle.bind6(address, port, 0) : handle.bind(address, port)) !== 0) {
    throw new Error(`cannot bind ${host}:${port}`);
  }
  return handle;
}

function addressOf(handle: SocketHandle, host: string, port: number): string {
  const name: { address?: string; port?: number; family?: string } = {};
  // A bind that failed for a port in use says so only here: the socket has no port then.
  const failed = !isTcpHandle(handle) || handle.getsockname(name) !== 0 || !name.port;
  if (failed) throw new Error(`listen EADDRINUSE: address already in use ${host}:${port}`);
  return name.family === 'IPv6' ? `[${name.address}]:${name.port}` : `${name.address}:${name.port}`;
}

// ── Duplicates ────────────────────────────────────────────────────────────────────────────────────────────────────

/** Both ends of one Unix socket, made at the first use and kept. */
interface Loop {
  readonly sends: PipeHandle;
  readonly receives: PipeHandle;
  /** Proves that what arrives was sent by us: on Linux the socket has a name that neighbours could connect to. */
  readonly secret: string;
}

let loop: Promise<Loop> | null = null;
/** One at a time, so that each arrives alone. */
let lastHandOver: Promise<unknown> = Promise.resolve();

function duplicateOf(handle: Handle): Promise<number> {
  const next = lastHandOver.then(async () => {
    loop ??= openLoop();
    return handOver(await loop, handle);
  });
  lastHandOver = next.catch(() => {});
  return next;
}

function handOver({ sends, receives, secret }: Loop, handle: Handle): Promise<number> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('a descriptor was not handed over')), handOverTimeoutMs);
    receives.onread = (bytes) => {
      const got = receives.pendingHandle;
      receives.pendingHandle = null;
      clearTimeout(timer);
      const isOurs = bytes !== undefined && Buffer.from(bytes).includes(secret);
      if (isOurs && isHandle(got)) resolve(got.fd);
      else reject(new Error('a descriptor arrived broken'));
    };
    const request = make(internals('stream_wrap').WriteWrap);
    const failed = sends.writeUtf8String(asObject(request, 'WriteWrap'), secret, handle);
    if (failed !== 0) reject(new Error(`a descriptor could not be handed over (${failed})`));
  });
}

async function openLoop(): Promise<Loop> {
  const secret = randomBytes(16).toString('hex');
  const name = `weir-${randomBytes(16).toString('hex')}`;
  // Linux names sockets without a file, which works on read-only file systems.
  const path = process.platform === 'linux' ? `\0${name}` : join(tmpdir(), name);
  const server = net.createServer({ pauseOnConnect: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  const accepted = new Promise<net.Socket>((resolve) => server.once('connection', resolve));
  const sends = makePipe();
  const request = asObject(make(internals('pipe_wrap').PipeConnectWrap), 'PipeConnectWrap');
  Reflect.set(request, 'oncomplete', () => {});
  if (sends.connect(request, path) !== 0) throw new Error('cannot connect to a socket of our own');
  const receives = makePipe();
  // The socket object stays as it is: only its descriptor is wanted, as a pipe that takes descriptors.
  const other: unknown = Reflect.get(await accepted, '_handle');
  server.close();
  if (!isHandle(other) || receives.open(other.fd) !== 0) throw missing('Pipe.open');
  receives.readStart();
  // They wait for ever and must not keep the process.
  receives.unref();
  return { sends, receives, secret };
}

function makePipe(): PipeHandle {
  const pipe = make(internals('pipe_wrap').Pipe, pipeForDescriptors);
  if (!isPipeHandle(pipe)) throw missing('Pipe');
  return pipe;
}

// ── Node's internals, checked before they are trusted ───────────────────────────────────────────────────────────────

function internals(name: string): Readonly<Record<string, unknown>> {
  const binding: unknown = Reflect.get(process, 'binding');
  if (typeof binding !== 'function') throw missing('process.binding');
  const found: unknown = Reflect.apply(binding, process, [name]);
  return typeof found === 'object' && found !== null ? { ...found } : {};
}

function make(type: unknown, ...args: unknown[]): unknown {
  if (typeof type !== 'function') return undefined;
  return Reflect.construct(type, args);
}

function asObject(value: unknown, what: string): object {
  if (typeof value !== 'object' || value === null) throw missing(what);
  return value;
}

function has(value: unknown, ...names: string[]): boolean {
  return typeof value === 'object' && value !== null && names.every((name) => name in value);
}

function isHandle(value: unknown): value is Handle {
  return has(value, 'fd', 'close', 'unref');
}

function isSocketHandle(value: unknown): value is SocketHandle {
  return has(value, 'fd', 'close', 'unref', 'bind');
}

function isTcpHandle(value: unknown): value is TcpHandle {
  return has(value, 'fd', 'close', 'bind', 'bind6', 'getsockname');
}

function isPipeHandle(value: unknown): value is PipeHandle {
  return has(value, 'fd', 'close', 'bind', 'open', 'connect', 'readStart', 'writeUtf8String');
}

function missing(what: string): Error {
  return new Error(`--concurrency above 1 needs ${what}, which node ${process.version} does not have`);
}
