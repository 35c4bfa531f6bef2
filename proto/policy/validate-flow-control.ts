/** Messages dropped where there are none, or where none may be; and streams that are shaped and could not be hedged. */
import { type Finding, member, show } from './problems.ts';

const directions = ['requestOverflow', 'responseOverflow'] as const;

/** `side`: an inbound or outbound section. */
export function overflowOfCritical(side: unknown, pointer: string): Finding[] {
  const priorities = member(side, 'priorities');
  const rules = member(priorities, 'rules');
  if (member(priorities, 'default') !== 'critical' || (Array.isArray(rules) && rules.length > 0)) return [];
  return overflows(side, pointer, 'by priorities.default every request is critical, and loses no message', undefined);
}

/** In a route. `match`: what it is about. */
export function overflowOfOther(side: unknown, match: unknown, pointer: string): Finding[] {
  const method = member(match, 'method');
  if (typeof method !== 'string' || method === 'POST') return [];
  const message = `only gRPC has messages to drop, and a call of gRPC is never ${show(method)}`;
  return overflows(side, pointer, message, 'match the calls by grpc: { service: … }');
}

export function hedgedFlow(outbound: unknown, pointer: string): Finding[] {
  if (member(outbound, 'flowControl') === undefined || member(outbound, 'hedging') === undefined) return [];
  const hint = 'give one of the two to the routes that need it';
  return [
    {
      pointer: `${pointer}/hedging`,
      message: 'what flowControl shapes is sent once: it cannot be hedged',
      hint,
      atKey: true,
    },
    {
      pointer: `${pointer}/flowControl`,
      message: 'what is hedged is sent twice: flowControl cannot shape it',
      hint,
      atKey: true,
    },
  ];
}

function overflows(side: unknown, pointer: string, message: string, hint: string | undefined): Finding[] {
  return directions
    .filter((direction) => member(member(side, 'flowControl'), direction) !== undefined)
    .map((direction) => ({ pointer: `${pointer}/flowControl/${direction}`, message, hint, atKey: true }));
}
