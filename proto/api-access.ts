/** What the API takes and answers about who may use it, and what was done with it. */
import { type Static, Type } from 'typebox';
import { durationPattern } from './policy/schema.ts';

const strict = { additionalProperties: false } as const;

/** Each may do what the one before it may. */
export const roleNames = ['viewer', 'operator', 'editor', 'admin'] as const;
export type RoleName = (typeof roleNames)[number];

export const RoleName = Type.Enum([...roleNames], {
  type: 'string',
  description:
    'viewer sees everything; operator also pauses, resumes and aborts rollouts; editor also changes policies; admin also makes tokens.',
});

export const TokenRequest = Type.Object(
  {
    name: Type.String({
      description: 'Who has it; it appears in the history and the audit.',
      pattern: '^[A-Za-z0-9]([A-Za-z0-9._@-]{0,61}[A-Za-z0-9])?$',
      maxLength: 63,
    }),
    role: RoleName,
    expiresIn: Type.Optional(
      Type.String({ description: '1s to 8784h; default: 720h.', pattern: durationPattern, maxLength: 32 }),
    ),
  },
  strict,
);
export type TokenRequest = Static<typeof TokenRequest>;

const fields = {
  id: Type.String(),
  name: Type.String(),
  role: RoleName,
  by: Type.String({ description: 'Who made it.' }),
  createdAt: Type.String(),
  expiresAt: Type.String(),
};

export const TokenView = Type.Object(fields);
export type TokenView = Static<typeof TokenView>;

export const CreatedTokenView = Type.Object({
  ...fields,
  token: Type.String({ description: 'The token itself. Nobody can see it again; empty after a dry run.' }),
});
export type CreatedTokenView = Static<typeof CreatedTokenView>;

export const TokenList = Type.Object({ items: Type.Array(TokenView), continue: Type.Optional(Type.String()) });
export type TokenList = Static<typeof TokenList>;

export const WhoAmIView = Type.Object({ name: Type.String(), role: RoleName });
export type WhoAmIView = Static<typeof WhoAmIView>;

export const AuditEntryView = Type.Object({
  sequence: Type.Number(),
  at: Type.String(),
  kind: Type.String({ description: 'policy, rollout, token, denied, …' }),
  by: Type.String(),
  entry: Type.Unknown({ description: 'As it was recorded.' }),
});
export type AuditEntryView = Static<typeof AuditEntryView>;

/** The newest first. */
export const AuditList = Type.Object({ items: Type.Array(AuditEntryView), continue: Type.Optional(Type.String()) });
export type AuditList = Static<typeof AuditList>;
