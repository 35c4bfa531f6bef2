/** In what the fields of a policy are counted, in the words of their documentation. */
import { member } from './problems.ts';

/** What a number counts, by the end of the field's path. */
const units: readonly (readonly [RegExp, string])[] = [
  [/concurrency\.\w+\.(min|max|initial|queue)$/, 'requests'],
  [/percent(max)?$/i, '% (of 100)'],
  [/requestsPerSecondMin$/, 'requests a second'],
  [/requests(max|min)?$|\blimit$|Limit$|minRequests$|windowRequests$/i, 'requests'],
  [/streamsMax$/, 'streams'],
  [/failures$/i, 'failures'],
  [/attempts(max)?$/i, 'attempts'],
  [/keysMax$/, 'keys'],
  [/entriesMax$/, 'answers'],
  [/instancesMax$/, 'instances'],
  [/\b(burst|constant|max|default)$/, 'requests, or their cost'],
  [/status(es)?$/i, 'a status'],
  [/probes$/i, 'probes'],
  [/(un)?healthyAfter$/i, 'checks'],
  [/concurrent$/i, 'attempts at once'],
  [/tenantsMax$/, 'tenants'],
  [/messagesMax$/, 'messages'],
  [/weight$/, 'requests in a turn'],
  [/(minHosts|pool)$/, 'endpoints'],
  [/quantile$/i, 'a share (of 1)'],
  [/(factor|multiplier|penalty|aggression)$/i, 'a factor'],
];

/** '' where the question makes no sense; 'a number' where nobody has said it yet. */
export function unitOf(path: string, schema: unknown): string {
  switch (member(schema, 'x-weir-quantity')) {
    case 'duration':
      return 'duration (h, m, s, ms)';
    case 'size':
      return 'size (B, KiB, MiB, GiB)';
    case 'rate':
      return 'rate (/s, /m, /h)';
  }
  const type = member(schema, 'type');
  if (type !== 'integer' && type !== 'number') return '';
  const given = member(schema, 'x-weir-unit');
  if (typeof given === 'string') return given;
  const plain = path.replaceAll('[]', '');
  return units.find(([pattern]) => pattern.test(plain))?.[1] ?? 'a number';
}
