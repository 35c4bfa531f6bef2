/** `GET` and `PUT /v1/pressure` of the admin door. */
import type { FastifyInstance } from 'fastify';
import { formatDuration, parseDuration } from '../../../proto/kernel/duration.ts';
import { deliveryCreditMax } from '../../admission/delivery-credit.ts';
import type { PressureControl } from './pressure-control.ts';

const holdsDefault = '1m';
const holdsMaxMs = 600_000;

type Wanted = { readonly pause: true } | { readonly resume: true } | { readonly more: number };

export function addPressure(door: FastifyInstance, pressure: PressureControl): void {
  door.get('/v1/pressure', () => pressure.read());
  door.put('/v1/pressure', async (request, reply) => {
    const parsed = parse(request.body);
    if (typeof parsed === 'string') {
      return reply.code(400).type('text/plain').send(`${parsed}\n`);
    }
    const { wanted, forMs } = parsed;
    if ('pause' in wanted) pressure.pause(null, forMs);
    else if ('more' in wanted) pressure.more(wanted.more, null, forMs);
    else pressure.resume();
    return pressure.read();
  });
}

const example = 'such as {"pause": true, "for": "30s"}, {"more": 10} or {"resume": true}';

/** A text says what is wrong. */
function parse(body: unknown): { readonly wanted: Wanted; readonly forMs: number } | string {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return `a JSON object is expected, ${example}`;
  const entries = Object.entries(body);
  const unknown = entries.find(([name]) => !['pause', 'resume', 'more', 'for'].includes(name));
  if (unknown !== undefined) return `"${unknown[0].slice(0, 64)}" is not known; ${example}`;
  const said = entries.filter(([name]) => name !== 'for');
  if (said.length !== 1) return `exactly one of pause, resume and more is expected, ${example}`;
  const [name, value] = said[0]!;
  const forMs = holdsFor(entries.find(([field]) => field === 'for')?.[1]);
  if (typeof forMs === 'string') return forMs;
  if (name === 'more') {
    if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= deliveryCreditMax) {
      return { wanted: { more: value }, forMs };
    }
    return `more: a whole number from 1 to ${deliveryCreditMax} is expected`;
  }
  if (value !== true) return `${name}: true is expected`;
  return { wanted: name === 'pause' ? { pause: true } : { resume: true }, forMs };
}

function holdsFor(value: unknown): number | string {
  const text = value ?? holdsDefault;
  const ms = typeof text === 'string' && text.length <= 32 ? parseDuration(text) : undefined;
  if (ms !== undefined && ms >= 1 && ms <= holdsMaxMs) return ms;
  return `for: how long it holds, from 1ms to ${formatDuration(holdsMaxMs)}; default ${holdsDefault}`;
}
