/** Adaptive throttling by callers. */
import { type Static, Type } from 'typebox';
import { duration, strict } from './schema-parts.ts';

export const ThrottleSpec = Type.Object(
  {
    enabled: Type.Optional(Type.Boolean({ description: 'false: callers never throttle.', default: true })),
    acceptsMultiplier: Type.Optional(
      Type.Number({
        description: 'K. At 2 the service sees up to twice what it takes; the rest is refused by its callers.',
        minimum: 1.1,
        maximum: 10,
        default: 2,
      }),
    ),
    window: Type.Optional(
      duration({ min: '1s', max: '5m', default: '10s', description: 'Requests and accepts of this time count.' }),
    ),
    requestsPerSecondMin: Type.Optional(
      Type.Integer({
        description: 'Callers of fewer requests throttle nothing; by thread of a proxy.',
        minimum: 1,
        maximum: 100_000,
        default: 5,
      }),
    ),
    refusedPercentMax: Type.Optional(
      Type.Integer({
        description: 'The most that is refused: some have to go for the service to be seen to recover.',
        minimum: 1,
        maximum: 99,
        default: 90,
      }),
    ),
  },
  {
    ...strict,
    description:
      'When the service sheds, its callers refuse the share max(0, (requests − K · accepts) / (requests + 1)) ' +
      'themselves (reason client_throttle). Only answers that shed count against it, failures never. Off where the ' +
      'policy does not name it.',
  },
);
export type ThrottleSpec = Static<typeof ThrottleSpec>;
