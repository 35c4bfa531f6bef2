/**
 * Who may do what. Each role may do what the one before it may:
 *
 *   viewer     see everything, ask for the impact of a policy
 *   operator   keep what is there running: pause, resume and abort rollouts, redrive dead letters
 *   editor     change what is in force: policies, rollouts, rollbacks
 *   admin      say who may: tokens
 */
import { type RoleName, roleNames } from '../../proto/api-access.ts';

export type Role = RoleName;

export function mayAct(as: Role, needed: Role): boolean {
  return roleNames.indexOf(as) >= roleNames.indexOf(needed);
}

export function roleOf(text: unknown): Role | undefined {
  return roleNames.find((role) => role === text);
}

/** Who asks, once it is known. */
export interface Principal {
  /** For the history and the audit: `token ann`, `api-token`, `loopback`. */
  readonly name: string;
  readonly role: Role;
  /** Of the token that was shown; '' for what is not in the bucket. */
  readonly tokenId: string;
}
