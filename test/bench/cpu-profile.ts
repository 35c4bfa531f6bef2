/** A .cpuprofile of V8 as a list of functions by the time spent in themselves. */

export interface SelfTime {
  readonly name: string;
  /** File and line, shortened; empty for the engine's own entries such as `(garbage collector)`. */
  readonly place: string;
  readonly ms: number;
  /** Of the time that was not idle. */
  readonly share: number;
}

export interface ProfileSummary {
  readonly busyMs: number;
  readonly idleMs: number;
  readonly functions: readonly SelfTime[];
}

const idleName = '(idle)';

/** Moments of the system's monotonic clock, in µs: V8 stamps its samples by it, and `process.hrtime` reads it. */
export interface Span {
  readonly fromUs: number;
  readonly toUs: number;
}

/** Of the samples within `span`: what a program does at its start is another question. */
export function summariseProfile(json: string, span: Span): ProfileSummary {
  const profile: unknown = JSON.parse(json);
  const names = new Map<number, string>();
  for (const node of listIn(profile, 'nodes')) names.set(numberIn(node, 'id'), describe(node));
  const deltas = listIn(profile, 'timeDeltas').map(Number);
  const selfUs = new Map<string, number>();
  let atUs = numberIn(profile, 'startTime');
  listIn(profile, 'samples').forEach((id, i) => {
    atUs += deltas[i] ?? 0;
    if (atUs < span.fromUs || atUs > span.toUs) return;
    const name = names.get(Number(id)) ?? '?';
    selfUs.set(name, (selfUs.get(name) ?? 0) + Math.max(0, deltas[i] ?? 0));
  });
  const idleMs = (selfUs.get(`${idleName}\0`) ?? 0) / 1000;
  selfUs.delete(`${idleName}\0`);
  const busyMs = [...selfUs.values()].reduce((sum, us) => sum + us, 0) / 1000;
  const functions = [...selfUs]
    .sort(([, a], [, b]) => b - a)
    .map(([key, us]) => {
      const [name = '', place = ''] = key.split('\0');
      return { name, place, ms: us / 1000, share: us / 1000 / busyMs };
    });
  return { busyMs, idleMs, functions };
}

export function renderProfile({ busyMs, idleMs, functions }: ProfileSummary, requests: number, top: number): string {
  const perRequest = (ms: number) => ((ms * 1000) / requests).toFixed(2);
  const lines = functions.slice(0, top).map(({ name, place, ms, share }) => {
    const cells = [`${(share * 100).toFixed(1)} %`, perRequest(ms)].map((cell) => cell.padStart(9));
    return `${cells.join('')}  ${name.padEnd(28)} ${place}`.trimEnd();
  });
  const total = `${busyMs.toFixed(0)} ms busy, ${idleMs.toFixed(0)} ms idle, ${perRequest(busyMs)} µs busy per request`;
  return [total, `${'self'.padStart(9)}${'µs/req'.padStart(9)}  function`, ...lines].join('\n');
}

/** Function and place; the same function inlined at several call sites is one. */
function describe(node: unknown): string {
  const frame = fieldIn(node, 'callFrame');
  const name = String(fieldIn(frame, 'functionName') || '(anonymous)');
  const url = String(fieldIn(frame, 'url') ?? '');
  if (url === '') return `${name}\0`;
  const line = numberIn(frame, 'lineNumber') + 1;
  return `${name}\0${url.replace(/^file:\/\//, '').replace(/^.*\/dist\//, '')}:${line}`;
}

function fieldIn(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Object.entries(value).find(([key]) => key === name)?.[1] : null;
}

function numberIn(value: unknown, name: string): number {
  return Number(fieldIn(value, name));
}

function listIn(value: unknown, name: string): readonly unknown[] {
  const list = fieldIn(value, name);
  if (!Array.isArray(list)) throw new Error(`not a CPU profile: it has no ${name}`);
  return list;
}
