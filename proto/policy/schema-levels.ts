/** Admission by level: under overload the least important requests are refused before they queue, and by their callers. */
import { type Static, Type } from 'typebox';
import { duration, strict } from './schema-parts.ts';
import { TierSpec } from './schema-priorities.ts';

export const NonEssentialSpec = Type.Object(
  {
    offFrom: Type.Optional(
      TierSpec(
        'Off while the level refuses any request of this tier, or of a more important one. background: with any level.',
        'background',
      ),
    ),
    restoreAfter: Type.Optional(
      duration({ min: '100ms', max: '1h', default: '5s', description: 'On again so long after that is over.' }),
    ),
  },
  {
    ...strict,
    description:
      'When requests that can be done without (essential: false, of a route or of a rule of priorities) are refused, ' +
      'whatever their tier, with the reason degraded.',
  },
);
export type NonEssentialSpec = Static<typeof NonEssentialSpec>;

export const LevelsSpec = Type.Object(
  {
    queueingMax: Type.Optional(
      duration({
        min: '1ms',
        max: '10s',
        default: '20ms',
        description: 'Mean time in the queue, over a window, from which on the service counts as overloaded.',
      }),
    ),
    window: Type.Optional(
      duration({
        min: '100ms',
        max: '1m',
        default: '1s',
        description: 'How long the level stands; less when 100 ms show plainly that it is wrong.',
      }),
    ),
    windowRequests: Type.Optional(
      Type.Integer({
        description: 'A window ends at so many requests, too.',
        minimum: 100,
        maximum: 1_000_000,
        default: 2000,
      }),
    ),
    decreasePercent: Type.Optional(
      Type.Integer({
        description: 'A window of overload lets in so much less, and nothing of what the queue refused.',
        minimum: 1,
        maximum: 50,
        default: 5,
      }),
    ),
    increasePercent: Type.Optional(
      Type.Integer({
        description: 'Another window lets in so much more; twice as much each time while next to nobody waits.',
        minimum: 1,
        maximum: 50,
        default: 1,
      }),
    ),
    nonEssential: Type.Optional(NonEssentialSpec),
  },
  {
    ...strict,
    description:
      'Lets in the more important requests only, as many as the service takes, and tells the sidecars of its callers, ' +
      'which then refuse the others themselves (reason upstream_level). Each thread of a proxy has a level of its own. ' +
      'The queue goes by it, too, where it knows tiers: of each tier it serves the more important users first, and the ' +
      'parts of one request together; a standing queue lets them wait four times as long, since only the least ' +
      'important do.',
  },
);
export type LevelsSpec = Static<typeof LevelsSpec>;
