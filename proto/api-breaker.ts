/** Fleet breakers over the API: how they stand and why, and an operator's word, which always has a reason and an end. */
import { type Static, Type } from 'typebox';
import { FleetBreakerView } from './api.ts';

export const forceReasonMax = 200;
export const forceMinMs = 1000;
export const forceMaxMs = 24 * 3600 * 1000;

export const VoterView = Type.Object({ instance: Type.String(), n: Type.Number(), fail: Type.Number() });

export const BreakerDetail = Type.Object({
  ...FleetBreakerView.properties,
  zone: Type.String({ description: 'of the callers that it is about; empty: all' }),
  rule: Type.String({ description: 'what decided: quorum, probes, ramp, forced, policy; empty: nothing yet' }),
  quorum: Type.Number({ description: 'failing callers that it took' }),
  windowMs: Type.Number({ description: 'how far back the evidence goes' }),
  worst: Type.Array(VoterView, { description: 'the callers that saw the most failures, at most 8' }),
  expiresInMs: Type.Union([Type.Number(), Type.Null()], { description: 'of what an operator forced' }),
  suspects: Type.Array(Type.String(), { description: 'callers whose failures are their own' }),
  ejected: Type.Array(Type.String(), { description: 'addresses of endpoints that nobody is to use' }),
});
export type BreakerDetail = Static<typeof BreakerDetail>;

export const BreakerList = Type.Object({ items: Type.Array(BreakerDetail), continue: Type.Optional(Type.String()) });
export type BreakerList = Static<typeof BreakerList>;

export const BreakerForce = Type.Object(
  {
    state: Type.Enum(['forced_open', 'forced_closed'], { type: 'string' }),
    reason: Type.String({ minLength: 1, maxLength: forceReasonMax, description: 'Why; everybody sees it.' }),
    expiresIn: Type.String({
      pattern: '^([0-9]{1,5}(h|m|s|ms)){1,4}$',
      maxLength: 32,
      description:
        'When it ends by itself, 1s to 24h. A breaker that was forced open then has to prove itself by probes.',
    }),
  },
  { additionalProperties: false },
);
export type BreakerForce = Static<typeof BreakerForce>;
