/** What the API answers about the impact of a policy that is not in force. */
import { type Static, Type } from 'typebox';

const Tally = { requests: Type.Number(), rejected: Type.Number() };

export const ImpactView = Type.Object({
  target: Type.String(),
  /** One line: "would have rejected 3.1 % of 12000 requests; low 9.0 %, high 0.0 %; 0.0 % were rejected at the time". */
  summary: Type.String(),
  answered: Type.Number({ description: 'Sidecars that let the policy rehearse on the traffic they recorded.' }),
  silent: Type.Array(Type.Object({ instance: Type.String(), message: Type.String() }), {
    description: 'Sidecars that were asked and could not tell.',
  }),
  ...Tally,
  rejectedShare: Type.Union([Type.Number(), Type.Null()], { description: '0 to 1; null: no traffic was recorded.' }),
  seconds: Type.Number({ description: 'The longest recording, from its first arrival to its last.' }),
  byReason: Type.Record(Type.String(), Type.Number()),
  byTier: Type.Record(Type.String(), Type.Object(Tally)),
  routes: Type.Array(Type.Object({ route: Type.String(), ...Tally }), { description: 'The worst first, at most 20.' }),
  recordedRejected: Type.Number({ description: 'Rejected when they were recorded.' }),
  recordedByReason: Type.Record(Type.String(), Type.Number()),
  caveats: Type.Array(Type.String(), { description: 'What this does not tell.' }),
});
export type ImpactView = Static<typeof ImpactView>;
