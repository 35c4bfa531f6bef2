/** How many requests a service takes in any time, and of whom. */
import { type Static, Type } from 'typebox';
import { FleetShareSpec } from './schema-fleet-limits.ts';
import { dnsLabel, duration, headerNamePattern, marker, oneMember, oneOf, rate, strict } from './schema-parts.ts';

export const KeySpec = Type.Object(
  {
    header: Type.Optional(
      Type.String({
        description:
          'One bucket per value of this request header; requests without it share one bucket. Callers can write what ' +
          'they like there: trust it behind a gateway that sets it.',
        pattern: headerNamePattern,
        minLength: 1,
        maxLength: 64,
        examples: ['x-client-id'],
      }),
    ),
    identity: Type.Optional(
      marker('One bucket per identity that the caller proved by mutual TLS; callers without one share one bucket.'),
    ),
    address: Type.Optional(marker('One bucket per address of the caller.')),
    method: Type.Optional(marker('One bucket per HTTP method.')),
    path: Type.Optional(marker('One bucket per path, without the query; for gRPC that is the method called.')),
  },
  { ...oneMember, description: 'What gives each caller a bucket of its own; without a key all share one.' },
);
export type KeySpec = Static<typeof KeySpec>;

const window = (description: string) =>
  duration({
    min: '10ms',
    max: '24h',
    description: `${description} Default: the unit of rate (1s, 1m, 1h). rate × window must be a whole number, at least 1.`,
    examples: ['1m'],
  });

export const RateAlgorithmSpec = Type.Object(
  {
    tokenBucket: Type.Optional(
      marker('Admits at most rate·w + burst in any time w (GCRA). The default, and the best for most cases.'),
    ),
    leakyBucket: Type.Optional(
      Type.Object(
        {
          waitMax: Type.Optional(
            duration({
              min: '1ms',
              max: '1m',
              default: '1s',
              description: 'Longest wait for a turn. Who would wait longer, or past its deadline, is refused at once.',
            }),
          ),
          requestsMax: Type.Optional(
            Type.Integer({
              description:
                'Requests that may wait at once, over all keys of this limit; each holds its head and up to 64KiB of ' +
                'its content. At the bound newcomers that would have to wait are refused.',
              minimum: 1,
              maximum: 100_000,
              default: 100,
            }),
          ),
        },
        {
          ...strict,
          description:
            'Lets requests through one by one, 1/rate apart, and makes them wait for their turn: at most rate·w + 1 go ' +
            'on in any time w, to the grain of the timers, about 5 ms.',
        },
      ),
    ),
    fixedWindow: Type.Optional(
      Type.Object(
        { window: Type.Optional(window('Length of a window; windows follow each other from the start of the proxy.')) },
        {
          ...strict,
          description:
            'Admits rate·window in each window W: at most limit·(⌈w/W⌉ + 1) in any time w, so twice the limit around ' +
            'the edge of two windows.',
        },
      ),
    ),
    slidingWindow: Type.Optional(
      Type.Object(
        { window: Type.Optional(window('How far back requests count.')) },
        {
          ...strict,
          description:
            'Counts this window W and the share of the last one that still overlaps it: at most limit·(1 + w/W) in any ' +
            'time w, where limit = rate·window.',
        },
      ),
    ),
  },
  { ...oneMember, description: 'How requests are counted; each algorithm names its own bound.' },
);
export type RateAlgorithmSpec = Static<typeof RateAlgorithmSpec>;

export const CostSpec = Type.Object(
  {
    constant: Type.Optional(
      Type.Integer({ description: 'Every request costs this.', minimum: 1, maximum: 1_000_000, examples: [5] }),
    ),
    header: Type.Optional(
      Type.Object(
        {
          name: Type.String({
            description: 'Request header with the cost, a whole number from 1 on.',
            pattern: headerNamePattern,
            minLength: 1,
            maxLength: 64,
            examples: ['x-cost'],
          }),
          max: Type.Integer({
            description: 'What a request costs at most, whatever the header says.',
            minimum: 1,
            maximum: 1_000_000,
            examples: [50],
          }),
          default: Type.Optional(
            Type.Integer({
              description: 'Cost of requests without a usable header, and of all from callers that are not trusted.',
              minimum: 1,
              maximum: 1_000_000,
              default: 1,
            }),
          ),
        },
        {
          ...strict,
          description:
            'The caller says what its request costs. Believed of trusted callers only: those with an identity by mutual ' +
            'TLS, or that show the mesh token.',
        },
      ),
    ),
  },
  {
    ...oneMember,
    description:
      'What a request counts for; default: 1. No request may cost more than the limit admits at once: burst, or rate × ' +
      'window.',
  },
);
export type CostSpec = Static<typeof CostSpec>;

export const RateLimitSpec = Type.Object(
  {
    name: dnsLabel('Name of the limit, unique in the policy; it appears in RateLimit fields.'),
    scope: Type.Optional(
      oneOf(['perProxy', 'fleet'], {
        default: 'perProxy',
        description:
          'perProxy: each sidecar of the service counts alone. fleet: all instances of the service share the rate, by ' +
          'leases from the control plane; needs fleet.',
      }),
    ),
    fleet: Type.Optional(FleetShareSpec),
    rate: rate({
      min: '1/h',
      max: '10000000/s',
      description: 'Requests, or their cost, per second (s), minute (m) or hour (h).',
      examples: ['500/s'],
    }),
    burst: Type.Optional(
      Type.Integer({
        description:
          'Requests, or their cost, admitted at once after a quiet time; default: what the rate gives in one second, at ' +
          'least 1 and at least the highest cost. Only with tokenBucket. Of scope fleet: by all instances together; ' +
          'default: what the rate gives in 100 ms.',
        minimum: 1,
        maximum: 10_000_000,
        examples: [100],
      }),
    ),
    algorithm: Type.Optional(RateAlgorithmSpec),
    key: Type.Optional(KeySpec),
    keysMax: Type.Optional(
      Type.Integer({
        description:
          'Keys remembered at once. A key is forgotten only when that changes nothing for it; while none can be, ' +
          'newcomers share one bucket. Needs key.',
        minimum: 1,
        maximum: 100_000,
        default: 10_000,
      }),
    ),
    cost: Type.Optional(CostSpec),
  },
  {
    ...strict,
    description: 'A limit of requests per time. Threads of one proxy share it exactly.',
  },
);
export type RateLimitSpec = Static<typeof RateLimitSpec>;
