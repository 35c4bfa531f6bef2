/**
 * The control plane's REST API as the commands see it: an answer, or a CommandError with the exit code that the
 * failure deserves. Here alone HTTP becomes exit codes.
 */
import { isRecord } from '../../proto/policy/problems.ts';
import type { Arguments } from './arguments.ts';
import type { Context } from './context.ts';
import { CommandError, ExitCode, usageError } from './exit-codes.ts';

export const serverDefault = 'http://127.0.0.1:15080';

export interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly etag: string | undefined;
}

export interface RequestOptions {
  readonly body?: unknown;
  readonly ifMatch?: string;
  /** Statuses that are answers, not failures, beside 2xx. */
  readonly accept?: readonly number[];
}

export interface ApiClient {
  readonly server: string;
  request(method: string, path: string, options?: RequestOptions): Promise<Answer>;
}

export interface ApiClientSettings {
  readonly server: string;
  readonly token: string | undefined;
  readonly timeoutMs: number;
  readonly interrupted: AbortSignal;
  readonly fetch: typeof globalThis.fetch;
}

/** From the flags `serverFlags` and the environment. */
export async function connect(context: Context, given: Arguments): Promise<ApiClient> {
  const server = (given.text('server') ?? (context.env.WEIR_SERVER || serverDefault)).replace(/\/+$/, '');
  if (!/^https?:\/\/[^/\s]+/.test(server)) throw usageError(`"${server}" is not an http:// or https:// address`);
  return apiClient({
    server,
    token: await readToken(context, given.text('token-file') ?? context.env.WEIR_TOKEN_FILE),
    timeoutMs: given.duration('timeout') ?? 10_000,
    interrupted: context.interrupted,
    fetch: context.fetch,
  });
}

async function readToken(context: Context, file: string | undefined): Promise<string | undefined> {
  if (!file) return context.env.WEIR_API_TOKEN || undefined;
  try {
    return (await context.readFile(file)).trim();
  } catch (cause) {
    throw usageError(`cannot read the token file ${file}: ${messageOf(cause)}`);
  }
}

export function apiClient(settings: ApiClientSettings): ApiClient {
  const { server, token, timeoutMs, interrupted, fetch } = settings;
  return {
    server,
    async request(method, path, { body, ifMatch, accept = [] } = {}) {
      const late = AbortSignal.timeout(timeoutMs);
      try {
        const response = await fetch(`${server}${path}`, {
          method,
          headers: {
            accept: 'application/json',
            ...(token ? { authorization: `Bearer ${token}` } : {}),
            ...(body === undefined ? {} : { 'content-type': 'application/json' }),
            ...(ifMatch === undefined ? {} : { 'if-match': ifMatch }),
          },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
          signal: AbortSignal.any([late, interrupted]),
          redirect: 'error',
        });
        const text = await response.text();
        const answer = {
          status: response.status,
          body: parseBody(text, response.headers.get('content-type')),
          etag: response.headers.get('etag') ?? undefined,
        };
        if (response.ok || accept.includes(response.status)) return answer;
        throw failure(answer, server, token !== undefined);
      } catch (error) {
        if (error instanceof CommandError) throw error;
        if (interrupted.aborted) throw new CommandError(ExitCode.interrupted, 'interrupted');
        if (late.aborted) throw new CommandError(ExitCode.timedOut, `no answer from ${server} within ${timeoutMs} ms`);
        throw new CommandError(
          ExitCode.unreachable,
          `no control plane answers at ${server} (${networkReason(error)})`,
          'start one with "weir dev", or name it with --server or WEIR_SERVER',
        );
      }
    },
  };
}

function parseBody(text: string, contentType: string | null): unknown {
  if (text === '') return undefined;
  if (!contentType?.includes('json')) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** What the server said against it, as an error with the exit code of OPERATORS' table. */
function failure(answer: Answer, server: string, hadToken: boolean): CommandError {
  const { status, body } = answer;
  const said = problemText(body) ?? `status ${status}`;
  if (status === 401) {
    return new CommandError(
      ExitCode.denied,
      `${server} refused: ${said}`,
      hadToken ? 'the token is not valid there' : 'give a token with --token-file or WEIR_API_TOKEN',
    );
  }
  if (status === 403) return new CommandError(ExitCode.denied, `${server} refused: ${said}`);
  if (status === 409 || status === 412 || status === 428) return new CommandError(ExitCode.conflict, said);
  if (status === 400 || status === 422) return new ValidationError(said, problemErrors(body));
  if (status >= 502 && status <= 504) return new CommandError(ExitCode.unreachable, `${server} cannot serve: ${said}`);
  return new CommandError(ExitCode.failed, said);
}

export interface FieldError {
  readonly pointer: string;
  readonly message: string;
  readonly hint?: string;
  readonly line?: number;
  readonly column?: number;
}

/** The server found the document wrong; `errors` lists where. */
export class ValidationError extends CommandError {
  readonly errors: readonly FieldError[];

  constructor(message: string, errors: readonly FieldError[]) {
    super(ExitCode.invalid, message);
    this.errors = errors;
  }
}

/** RFC 9457: the detail, else the title. */
function problemText(body: unknown): string | undefined {
  if (!isRecord(body)) return undefined;
  for (const text of [body.detail, body.title]) if (typeof text === 'string' && text) return text;
  return undefined;
}

function problemErrors(body: unknown): FieldError[] {
  if (!isRecord(body) || !Array.isArray(body.errors)) return [];
  return body.errors.filter(isRecord).map((error) => ({
    pointer: typeof error.pointer === 'string' ? error.pointer : '',
    message: typeof error.message === 'string' ? error.message : 'is not valid',
    ...(typeof error.hint === 'string' ? { hint: error.hint } : {}),
  }));
}

/** fetch hides the reason in its cause: "fetch failed" helps nobody. */
function networkReason(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  if (isRecord(cause) && typeof cause.code === 'string') return cause.code;
  return messageOf(cause);
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
