/** How the content of one stream flows. */
import { type Static, Type } from 'typebox';
import { duration, oneMember, rate, size, strict } from './schema-parts.ts';

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

export const overflowDefaults = { messagesMax: 16, bytesMax: '4MiB' } as const;

const room = (description: string) =>
  Type.Object(
    {
      messagesMax: Type.Optional(
        Type.Integer({
          description: 'Messages that may wait for the reader.',
          minimum: 1,
          maximum: 10_000,
          default: overflowDefaults.messagesMax,
        }),
      ),
      bytesMax: Type.Optional(
        size({
          min: '1KiB',
          max: '64MiB',
          default: overflowDefaults.bytesMax,
          description:
            'Content of them. A message that is larger by itself never waits: it goes on as it comes and slows its sender down.',
        }),
      ),
    },
    { ...strict, description },
  );

export const OverflowSpec = Type.Object(
  {
    dropOldest: Type.Optional(room('The reader gets the newest messages; those that waited longest are dropped.')),
    dropNewest: Type.Optional(
      room('The reader gets the oldest messages; what comes while there is no room is dropped.'),
    ),
  },
  {
    ...oneMember,
    description:
      'Drops whole gRPC messages of a stream whose reader is slow, instead of slowing their sender down. For streams of ' +
      'which only some messages matter, such as prices or progress; the stream itself goes on and ends as its sender ' +
      'ends it. Without effect on other content, and on requests of tier critical.',
  },
);
export type OverflowSpec = Static<typeof OverflowSpec>;

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
    requestOverflow: Type.Optional(OverflowSpec),
    responseOverflow: Type.Optional(OverflowSpec),
  },
  { ...strict, description: 'How content flows: how much may wait for a slow reader, how fast, and for how long.' },
);
export type FlowControlSpec = Static<typeof FlowControlSpec>;
