/** How many requests a service takes in any time, and of whom. */
import { type Static, Type } from 'typebox';
import { dnsLabel, headerNamePattern, marker, oneMember, oneOf, rate, strict } from './schema-parts.ts';

export const KeySpec = Type.Object(
  {
    header: Type.Optional(
      Type.String({
        description: 'One bucket per value of this request header; requests without it share one bucket.',
        pattern: headerNamePattern,
        minLength: 1,
        maxLength: 64,
      }),
    ),
    address: Type.Optional(marker('One bucket per address of the caller.')),
    method: Type.Optional(marker('One bucket per HTTP method.')),
    path: Type.Optional(marker('One bucket per path, without the query; for gRPC that is the method called.')),
  },
  { ...oneMember, description: 'What gives each caller a bucket of its own; without a key all share one.' },
);
export type KeySpec = Static<typeof KeySpec>;

export const RateLimitSpec = Type.Object(
  {
    name: dnsLabel('Name of the limit, unique in the policy; it appears in metrics and logs.'),
    scope: Type.Optional(
      oneOf(['perProxy'], { default: 'perProxy', description: 'perProxy: each sidecar of the service counts alone.' }),
    ),
    rate: rate({ min: '1/h', max: '10000000/s', description: 'Requests per second (s), minute (m) or hour (h).' }),
    burst: Type.Optional(
      Type.Integer({
        description: 'Requests admitted at once after a quiet time; default: the rate per second, at least 1.',
        minimum: 1,
        maximum: 10_000_000,
      }),
    ),
    key: Type.Optional(KeySpec),
    keysMax: Type.Optional(
      Type.Integer({
        description: 'Keys remembered at once; newcomers beyond that share one bucket. Needs key.',
        minimum: 1,
        maximum: 100_000,
        default: 10_000,
      }),
    ),
  },
  { ...strict, description: 'A token bucket (GCRA): admits at most rate·t + burst requests in any time t.' },
);
export type RateLimitSpec = Static<typeof RateLimitSpec>;
