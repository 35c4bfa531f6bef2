/**
 * From the text of a setting to its value: what each kind of option accepts, and what it says when it does not. The
 * message names the value and the allowed range, so that nobody has to look either up.
 */
import { parseDuration } from './duration.ts';
import { parseSize } from './size.ts';

interface Common {
  readonly description: string;
  /** Shown in the help instead of the kind, e.g. `<ns>/<svc>`. */
  readonly placeholder?: string;
  /** An empty or missing value is an error. */
  readonly required?: boolean;
}

interface Ranged extends Common {
  readonly min?: number;
  readonly max?: number;
}

/** Durations have their bounds in ms, sizes in bytes, and their defaults as text (`30s`, `64MiB`). */
export type Option =
  | (Common & { readonly kind: 'string'; readonly default?: string; readonly pattern?: RegExp })
  | (Ranged & { readonly kind: 'integer' | 'number'; readonly default?: number })
  | (Ranged & { readonly kind: 'duration' | 'size'; readonly default?: string })
  | (Common & { readonly kind: 'boolean'; readonly default?: boolean })
  | (Common & { readonly kind: 'hostPort' | 'listen'; readonly default?: string })
  | (Common & { readonly kind: 'choice'; readonly choices: readonly string[]; readonly default?: string })
  | (Common & { readonly kind: 'list'; readonly itemsMax?: number; readonly pattern?: RegExp });

export interface HostPort {
  /** Without brackets, also for IPv6. */
  readonly host: string;
  readonly port: number;
}

/** A TCP address or a Unix socket. */
export type ListenAddress = HostPort | { readonly path: string };

export type Converted =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly message: string };

const ok = (value: unknown): Converted => ({ ok: true, value });
const no = (given: unknown, wanted: string): Converted => ({ ok: false, message: `${shown(given)} is not ${wanted}` });

/** `given` is text from flags or environment, or whatever the file held. */
export function convert(option: Option, given: unknown): Converted {
  switch (option.kind) {
    case 'string':
      if (typeof given !== 'string' || given === '') return no(given, 'a text');
      return option.pattern && !option.pattern.test(given) ? no(given, wanted(option, option.pattern)) : ok(given);
    case 'integer':
    case 'number': {
      const value = typeof given === 'number' ? given : numberOf(given);
      const fits = option.kind === 'integer' ? Number.isSafeInteger(value) : Number.isFinite(value);
      return fits && inRange(option, value)
        ? ok(value)
        : no(given, `${option.kind === 'integer' ? 'an integer' : 'a number'}${range(option)}`);
    }
    case 'duration': {
      const value = typeof given === 'string' ? (parseDuration(given) ?? Number.NaN) : Number.NaN;
      return inRange(option, value)
        ? ok(value)
        : no(given, `a duration like 500ms, 30s or 1m30s${range(option, ' ms')}`);
    }
    case 'size': {
      const value = typeof given === 'string' ? (parseSize(given) ?? Number.NaN) : Number.NaN;
      return inRange(option, value) ? ok(value) : no(given, `a size like 64KiB or 256MiB${range(option, ' bytes')}`);
    }
    case 'boolean':
      if (given === true || given === 'true') return ok(true);
      return given === false || given === 'false' ? ok(false) : no(given, 'true or false');
    case 'hostPort': {
      const value = typeof given === 'string' ? parseHostPort(given) : undefined;
      return value ? ok(value) : no(given, 'host:port with a port from 0 to 65535 (IPv6 in brackets)');
    }
    case 'listen': {
      if (typeof given === 'string' && /^unix:.{1,100}$/.test(given)) return ok({ path: given.slice(5) });
      const value = typeof given === 'string' ? parseHostPort(given) : undefined;
      return value
        ? ok(value)
        : no(given, 'host:port with a port from 0 to 65535, or unix:/path of up to 100 characters');
    }
    case 'choice':
      return typeof given === 'string' && option.choices.includes(given)
        ? ok(given)
        : no(given, `one of ${option.choices.join(', ')}`);
    case 'list':
      return list(option, given);
  }
}

function list(option: Option & { kind: 'list' }, given: unknown): Converted {
  if (!Array.isArray(given)) return no(given, 'a list');
  const itemsMax = option.itemsMax ?? 1000;
  if (given.length > itemsMax)
    return { ok: false, message: `has ${given.length} items, at most ${itemsMax} are allowed` };
  for (const item of given) {
    if (typeof item !== 'string' || item === '') return no(item, 'a text');
    if (option.pattern && !option.pattern.test(item)) return no(item, wanted(option, option.pattern));
  }
  return ok(given);
}

const wanted = (option: Option, pattern: RegExp): string => option.placeholder ?? `of the form ${pattern.source}`;

/** `127.0.0.1:80`, `localhost:80`, `[::1]:80`; undefined when it is not of that form. */
export function parseHostPort(text: string): HostPort | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]{2,45})\]|([A-Za-z0-9._-]{1,253})):([0-9]{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  return host !== undefined && port <= 65_535 ? { host, port } : undefined;
}

export function formatHostPort({ host, port }: HostPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Whether an address can only be reached from this machine. Names count as elsewhere, except localhost. */
export function isLoopbackHost(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.[0-9]{1,3}){3}$/.test(host);
}

function numberOf(given: unknown): number {
  return typeof given === 'string' && /^-?[0-9]+(\.[0-9]+)?$/.test(given) ? Number(given) : Number.NaN;
}

interface Range {
  readonly min?: number;
  readonly max?: number;
}

function inRange({ min, max }: Range, value: number): boolean {
  return (
    !Number.isNaN(value) && value >= (min ?? Number.NEGATIVE_INFINITY) && value <= (max ?? Number.POSITIVE_INFINITY)
  );
}

function range({ min, max }: Range, unit = ''): string {
  if (min !== undefined && max !== undefined) return ` from ${min} to ${max}${unit}`;
  if (min !== undefined) return ` of at least ${min}${unit}`;
  return max === undefined ? '' : ` of at most ${max}${unit}`;
}

function shown(given: unknown): string {
  const text = JSON.stringify(given) ?? String(given);
  return text.length > 120 ? `${text.slice(0, 120)}…` : text;
}
