/** How the content of one stream flows. */
import { type Static, Type } from 'typebox';
import { duration, rate, size, strict } from './schema-parts.ts';

export const PaceSpec = Type.Object(
  {
    bytesPerSecond: Type.Optional(
      size({ min: '1KiB', max: '100GiB', description: 'Content a second that goes on to the reader.' }),
    ),
    messages: Type.Optional(
      rate({
        min: '1/h',
        max: '1000000/s',
        description: 'gRPC messages that go on to the reader; without effect on other content.',
      }),
    ),
  },
  {
    ...strict,
    minProperties: 1,
    description:
      'How fast one stream may flow. What comes faster waits, then slows its sender down; nothing is refused.',
  },
);
export type PaceSpec = Static<typeof PaceSpec>;

export const FlowControlSpec = Type.Object(
  {
    windowMax: Type.Optional(
      size({
        min: '16KiB',
        max: '64MiB',
        description:
          'Content of one stream that may be on its way or wait here; default: up to 1MiB, as it is drained.',
      }),
    ),
    stallTimeout: Type.Optional(
      duration({
        min: '100ms',
        max: '1h',
        description: 'A stream whose reader takes nothing for so long, while there is something to take, is ended.',
      }),
    ),
    requestPace: Type.Optional(PaceSpec),
    responsePace: Type.Optional(PaceSpec),
  },
  { ...strict, description: 'How content flows: how much may wait for a slow reader, how fast, and for how long.' },
);
export type FlowControlSpec = Static<typeof FlowControlSpec>;
