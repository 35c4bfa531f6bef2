/** How many requests are in a service at once: a limit that somebody knows, or one of the algorithms that find it. */
import { type Static, type TProperties, Type } from 'typebox';
import { duration, oneMember, strict } from './schema-parts.ts';

const whole = (minimum: number, maximum: number, standard: number, description: string) =>
  Type.Optional(Type.Integer({ description, minimum, maximum, default: standard }));

/** What every kind of limit has. */
const common = {
  abandonAfter: Type.Optional(
    duration({
      min: '0s',
      max: '1m',
      default: '1s',
      description:
        'A request that timed out, or whose caller left, goes on in the app: its permit comes back when the app answers ' +
        'after all, or after this time, when its stream is reset. 0s: both at once, for an app that stops work when it ' +
        'is told to. Cannot lose data.',
    }),
  ),
  streamsMax: whole(
    0,
    100_000,
    1000,
    'Streams (gRPC answers after their first message, text/event-stream, WebSocket) that are under way beside the limit. ' +
      'Beyond this many a stream keeps its permit to its end.',
  ),
};

const adaptive = (standard: { min: number; max: number }) => ({
  min: whole(1, 10_000, standard.min, 'The limit never falls below this.'),
  max: whole(1, 100_000, standard.max, 'The limit never rises above this.'),
});

const initial = { initial: whole(1, 100_000, 20, 'Where it begins, before anything was measured.') };

const percent = (minimum: number, maximum: number, standard: number, description: string) =>
  whole(minimum, maximum, standard, description);

const algorithm = <Properties extends TProperties>(properties: Properties, description: string) =>
  Type.Optional(Type.Object({ ...properties, ...common }, { ...strict, description }));

export const ConcurrencySpec = Type.Object(
  {
    vegasBdp: algorithm(
      { ...adaptive({ min: 1, max: 1000 }), ...initial },
      'As many as the app works on and a few more, found by Vegas bounded by the bandwidth-delay product, with short dips ' +
        'to measure the latency without a queue. The recommended one: vegasBdp: {}.',
    ),
    fixed: algorithm(
      { limit: Type.Integer({ description: 'Requests in the service at once.', minimum: 1, maximum: 100_000 }) },
      'A limit that does not move.',
    ),
    aimd: algorithm(
      {
        ...adaptive({ min: 1, max: 200 }),
        ...initial,
        backoffPercent: percent(50, 99, 90, 'Of the limit, what a drop (timeout, reset, refusal by the app) leaves.'),
        timeout: Type.Optional(
          duration({ min: '1ms', max: '1h', default: '5s', description: 'A slower answer counts as a drop.' }),
        ),
      },
      'One more with every answer while it is busy, a tenth less with every drop, as TCP does.',
    ),
    vegas: algorithm(
      {
        ...adaptive({ min: 1, max: 1000 }),
        ...initial,
        smoothingPercent: percent(1, 100, 100, 'Weight of a new limit beside the one before.'),
      },
      "TCP Vegas as in Netflix's concurrency-limits: a queue is what answers take longer than the fastest one.",
    ),
    gradient2: algorithm(
      {
        ...adaptive({ min: 4, max: 200 }),
        ...initial,
        tolerancePercent: percent(100, 1000, 150, 'Latency, of the long-term average, that is no sign of a queue yet.'),
        smoothingPercent: percent(1, 100, 20, 'Weight of a new limit beside the one before.'),
        queue: whole(0, 1000, 4, 'Requests that may wait in the app.'),
      },
      "Netflix's Gradient2: latency now against its long-term average. Rises without need under an overload that lasts.",
    ),
    envoyGradient: algorithm(
      {
        ...adaptive({ min: 3, max: 1000 }),
        bufferPercent: percent(
          0,
          1000,
          25,
          'Latency above the smallest, in percent of it, that is no sign of a queue yet.',
        ),
        minRttInterval: Type.Optional(
          duration({
            min: '1s',
            max: '1h',
            default: '1m',
            description: 'Between two measurements of the smallest latency, ±15 %.',
          }),
        ),
        minRttRequests: whole(1, 10_000, 50, 'Requests that one measurement takes; until then the limit is min.'),
      },
      "Envoy's adaptive concurrency: latency now against the latency at min, measured once a minute.",
    ),
  },
  { ...oneMember, description: 'How many requests each sidecar lets into its service at once.' },
);
export type ConcurrencySpec = Static<typeof ConcurrencySpec>;
