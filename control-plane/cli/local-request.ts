/**
 * One HTTP request to a sidecar's own door, over TCP or a Unix socket. node:http rather than fetch: fetch knows no
 * Unix sockets and costs twice the start-up time of `weir drain`.
 */
import { request } from 'node:http';
import { parseHostPort } from '../../proto/kernel/option-values.ts';
import { CommandError, ExitCode, usageError } from './exit-codes.ts';

/** `unix:/path` or `host:port`. */
export type Door = { readonly socketPath: string } | { readonly host: string; readonly port: number };

export function parseDoor(text: string, flag: string): Door {
  if (text.startsWith('unix:')) return { socketPath: text.slice('unix:'.length) };
  const address = parseHostPort(text.replace(/^http:\/\//, '').replace(/\/$/, ''));
  if (!address || address.port === 0) throw usageError(`${flag}: "${text}" is neither host:port nor unix:/path`);
  // What listens on every address is reached on loopback.
  const host = address.host === '0.0.0.0' ? '127.0.0.1' : address.host === '::' ? '::1' : address.host;
  return { host, port: address.port };
}

export interface LocalAnswer {
  readonly status: number;
  readonly text: string;
}

/** Longer answers are cut: nothing here needs them. */
const answerBytesMax = 65_536;

export class DoorClosed extends CommandError {
  constructor(door: string, reason: string) {
    super(ExitCode.unreachable, `no sidecar answers at ${door} (${reason})`);
  }
}

export function localRequest(
  door: Door,
  { method, path, timeoutMs }: { readonly method: string; readonly path: string; readonly timeoutMs: number },
): Promise<LocalAnswer> {
  const shown = 'socketPath' in door ? door.socketPath : `${door.host}:${door.port}`;
  return new Promise((resolve, reject) => {
    const outgoing = request({ ...door, method, path, agent: false, headers: { host: 'localhost' } }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        if (text.length < answerBytesMax) text += chunk;
      });
      response.on('error', (error) => fail(error));
      response.on('end', () => {
        clearTimeout(timer);
        resolve({ status: response.statusCode ?? 0, text });
      });
    });
    const fail = (error: NodeJS.ErrnoException): void => {
      clearTimeout(timer);
      reject(new DoorClosed(shown, error.code ?? error.message));
    };
    const timer = setTimeout(() => {
      reject(new CommandError(ExitCode.timedOut, `no answer from ${shown} within ${timeoutMs} ms`));
      outgoing.destroy();
    }, timeoutMs);
    outgoing.on('error', fail);
    outgoing.end();
  });
}
