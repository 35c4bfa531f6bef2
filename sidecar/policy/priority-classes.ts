/**
 * Which tier a request has where it enters the mesh: that of the first rule it matches. What rules see of a head alone is
 * found once for each head that repeats (route-table.ts); only where a rule asks for an identity are they gone through for
 * every request. Nothing here has state.
 */
import { matches, pathWithoutQuery, type RequestHead, type RouteMatch } from './route-match.ts';
import { RouteTable } from './route-table.ts';

export interface PriorityRule {
  /** null = any. */
  readonly match: RouteMatch | null;
  /** '' = any; a * at the end stands for anything. */
  readonly identity: string;
  readonly tier: number;
  readonly essential: boolean;
}

/** What tells tenants, or users, apart. */
export interface CallerKey {
  readonly kind: 'header' | 'identity' | 'address';
  /** In lower case; '' for the others. */
  readonly header: string;
}

export interface PriorityClassesOptions {
  /** What holds where no rule does. */
  readonly otherwise: PriorityRule;
  readonly rules: readonly PriorityRule[];
  readonly tenant: CallerKey | null;
  readonly user: CallerKey | null;
  readonly trustedIdentities: readonly string[];
}

export class PriorityClasses {
  readonly tenant: CallerKey | null;
  readonly user: CallerKey | null;
  private readonly options: PriorityClassesOptions;
  /** null where a rule asks for more than the head. */
  private readonly byHead: RouteTable<PriorityRule> | null;

  constructor(options: PriorityClassesOptions) {
    const { rules, otherwise } = options;
    this.options = options;
    this.tenant = options.tenant;
    this.user = options.user;
    const all = rules.flatMap((rule) =>
      rule.match === null || rule.identity !== '' ? [] : [{ match: rule.match, settings: rule }],
    );
    this.byHead = all.length === rules.length ? new RouteTable(all, otherwise) : null;
  }

  ruleFor(head: RequestHead, identity: string): PriorityRule {
    if (this.byHead !== null) return this.byHead.settingsFor(head);
    const { rules, otherwise } = this.options;
    const path = pathWithoutQuery(head.path);
    for (let i = 0; i < rules.length; i++) {
      const rule = rules[i]!;
      if (rule.match !== null && !matches(rule.match, head, path)) continue;
      if (rule.identity !== '' && !isIdentity(rule.identity, identity)) continue;
      return rule;
    }
    return otherwise;
  }

  /** Whether this caller, not of the mesh, may say itself how important its requests are. */
  trusts(identity: string): boolean {
    const { trustedIdentities } = this.options;
    if (identity === '') return false;
    for (let i = 0; i < trustedIdentities.length; i++) {
      if (isIdentity(trustedIdentities[i]!, identity)) return true;
    }
    return false;
  }
}

/** Nobody in particular has no identity, which is none of anybody's. */
function isIdentity(pattern: string, identity: string): boolean {
  if (identity === '') return false;
  if (!pattern.endsWith('*')) return pattern === identity;
  return identity.startsWith(pattern.slice(0, -1));
}
