/**
 * The methods of weir.v1.Control: each names the role it needs, and turns a decoded request into a use case and its answer
 * into a message. What a use case refuses goes on as it is; the server says it in gRPC's words.
 */
import { roleNames, TokenRequest } from '../../proto/api-access.ts';
import type { PolicyError } from '../../proto/policy/problems.ts';
import { member, toPolicyError } from '../../proto/policy/problems.ts';
import { dnsLabelPattern, type TrafficPolicy } from '../../proto/policy/schema.ts';
import { checkShape } from '../../proto/policy/shape.ts';
import { entityTag } from '../policy/revisions.ts';
import type { Principal, Role } from '../policy/roles.ts';
import { type AuditLog, pageDefault } from '../service/audit-log.ts';
import type { FleetService } from '../service/fleet-service.ts';
import type { ImpactService } from '../service/impact-service.ts';
import type { Refusal } from '../service/outcomes.ts';
import type { PolicyHistory } from '../service/policy-history.ts';
import type { PolicyService, WriteOptions } from '../service/policy-service.ts';
import type { RolloutAction, RolloutService } from '../service/rollout-service.ts';
import type { TokenService } from '../service/token-service.ts';
import { pageOf, policyKey } from './request-parts.ts';

export interface ControlUseCases {
  readonly policies: PolicyService;
  readonly history: PolicyHistory;
  readonly rollouts: RolloutService;
  readonly impacts: ImpactService;
  readonly fleet: FleetService;
  readonly tokens: TokenService;
  readonly auditLog: AuditLog;
}

type Answer = { readonly kind: 'ok'; readonly reply: object } | Refusal;

export interface ControlMethod {
  readonly role: Role | ((request: unknown) => Role);
  readonly answer: (request: unknown, principal: Principal) => Answer | Promise<Answer>;
}

/** As many as one answer may have, and a message hold. */
const pageMax = 1_000;
const label = new RegExp(dnsLabelPattern);
const actions: readonly RolloutAction[] = ['pause', 'resume', 'promote', 'abort'];

export function controlMethods(uses: ControlUseCases): Readonly<Record<string, ControlMethod>> {
  const { policies, history, rollouts, impacts, fleet, tokens, auditLog } = uses;
  const viewer = (answer: ControlMethod['answer']): ControlMethod => ({ role: 'viewer', answer });
  const editor = (answer: ControlMethod['answer']): ControlMethod => ({ role: 'editor', answer });
  const admin = (answer: ControlMethod['answer']): ControlMethod => ({ role: 'admin', answer });
  /** Of what must be known to be answered. */
  const known = (answer: () => Answer): Answer =>
    policies.isLoaded() ? answer() : { kind: 'unavailable', detail: 'the policies are not known yet' };

  return {
    WhoAmI: viewer((_, { name, role }) => ok({ name, role })),
    ListPolicies: viewer((request) =>
      known(() => list(policies.list(namespaceOf(request)), policyKey, request, versionOf)),
    ),
    GetPolicy: viewer((request) =>
      named(request, (namespace, name) =>
        known(() => {
          const policy = policies.get(namespace, name);
          return policy ? ok(document(policy, versionOf(policy))) : absent(`policy ${namespace}/${name}`);
        }),
      ),
    ),
    ListRevisions: viewer((request) =>
      named(request, async (namespace, name) => {
        const outcome = await history.revisions(namespace, name);
        if (outcome.kind !== 'ok') return outcome;
        // Pages go by name, and the newest comes first.
        const order = ({ revision }: { revision: number }): string => String(2 ** 53 - revision).padStart(16, '0');
        return list(outcome.revisions, order, request, ({ revision }) => String(revision));
      }),
    ),
    GetRevision: viewer((request) =>
      named(request, async (namespace, name) => {
        const outcome = await history.revision(namespace, name, numberOf(request, 'revision'));
        return outcome.kind === 'ok' ? ok(document(outcome.revision, String(outcome.revision.revision))) : outcome;
      }),
    ),
    DiffRevisions: viewer((request) =>
      named(request, async (namespace, name) => {
        const outcome = await history.diff(namespace, name, numberOf(request, 'from'), numberOf(request, 'to'));
        if (outcome.kind !== 'ok') return outcome;
        const { kind: _, ...diff } = outcome;
        return ok(document(diff));
      }),
    ),
    GetImpact: viewer((request) =>
      named(request, async (namespace, name) => {
        const outcome = await impacts.impact(namespace, name, jsonOf(request));
        return outcome.kind === 'ok' ? ok(document(outcome.impact)) : outcome;
      }),
    ),
    ListRollouts: viewer((request) =>
      known(() =>
        list(rollouts.list(namespaceOf(request)), rolloutKey, request, ({ resourceVersion }) => resourceVersion),
      ),
    ),
    GetRollout: viewer((request) =>
      named(request, (namespace, name) =>
        known(() => {
          const rollout = rollouts.get(namespace, name);
          return rollout ? ok(document(rollout, rollout.resourceVersion)) : absent(`rollout of ${namespace}/${name}`);
        }),
      ),
    ),
    ListServices: viewer((request) =>
      list(
        fleet
          .services()
          .filter(isIn(namespaceOf(request)))
          .sort(byName(serviceKeyOf)),
        serviceKeyOf,
        request,
      ),
    ),
    ListInstances: viewer((request) =>
      list(
        fleet
          .instances()
          .filter(isIn(namespaceOf(request)))
          .sort(byName(instanceKey)),
        instanceKey,
        request,
      ),
    ),
    ActOnRollout: {
      role: (request) => (textOf(request, 'action') === 'promote' ? 'editor' : 'operator'),
      answer: (request, { name: by }) =>
        named(request, async (namespace, name) => {
          const action = actions.find((one) => one === textOf(request, 'action'));
          if (!action) return invalid('/action', `must be one of ${actions.join(', ')}`);
          const outcome = await rollouts.act(action, name, ifMatchOf(request), writing(request, namespace, by));
          return outcome.kind === 'ok' ? ok(document(outcome.rollout, outcome.rollout.resourceVersion)) : outcome;
        }),
    },
    ListAudit: {
      role: 'operator',
      answer: async (request) => {
        const before = textOf(request, 'page');
        if (!/^[0-9]{0,15}$/.test(before)) return invalid('/page', 'is not of a page before');
        const limit = Math.min(200, numberOf(request, 'limit') || pageDefault);
        const kind = textOf(request, 'kind') || undefined;
        const outcome = await auditLog.recent(kind, limit, before === '' ? undefined : Number(before));
        if (outcome.kind !== 'ok') return outcome;
        return ok({
          items: outcome.items.map((item) => document(item)),
          nextPage: outcome.before === undefined ? '' : String(outcome.before),
        });
      },
    },
    CreatePolicy: editor((request, { name: by }) =>
      inNamespace(request, async (namespace) => {
        const outcome = await policies.create(jsonOf(request), writing(request, namespace, by));
        return outcome.kind === 'ok' ? ok(document(outcome.policy, versionOf(outcome.policy))) : outcome;
      }),
    ),
    ReplacePolicy: editor((request, { name: by }) =>
      named(request, async (namespace, name) => {
        const options = writing(request, namespace, by);
        const outcome = await policies.replace(jsonOf(request), name, ifMatchOf(request), options);
        return outcome.kind === 'ok' ? ok(document(outcome.policy, versionOf(outcome.policy))) : outcome;
      }),
    ),
    DeletePolicy: editor((request, { name: by }) =>
      named(request, async (namespace, name) => {
        const outcome = await policies.remove(name, ifMatchOf(request), writing(request, namespace, by));
        return outcome.kind === 'ok' ? ok(document(outcome.policy)) : outcome;
      }),
    ),
    RollBack: editor((request, { name: by }) =>
      named(request, async (namespace, name) => {
        const options = writing(request, namespace, by);
        const outcome = await history.rollback(name, numberOf(request, 'to'), ifMatchOf(request), options);
        return outcome.kind === 'ok' ? ok(document(outcome.policy, versionOf(outcome.policy))) : outcome;
      }),
    ),
    StartRollout: editor((request, { name: by }) =>
      named(request, async (namespace, name) => {
        const options = writing(request, namespace, by);
        const outcome = await rollouts.start(name, jsonOf(request), ifMatchOf(request), options);
        return outcome.kind === 'ok' ? ok(document(outcome.rollout, outcome.rollout.resourceVersion)) : outcome;
      }),
    ),
    ListTokens: admin((request) => list(tokens.list(), ({ id }) => id, request)),
    CreateToken: admin(async (request, { name: by }) => {
      const expiresIn = textOf(request, 'expiresIn') || undefined;
      const role = roleNames.find((one) => one === textOf(request, 'role'));
      const wanted = { name: textOf(request, 'name'), role: role ?? 'viewer', ...(expiresIn && { expiresIn }) };
      const findings = checkShape(TokenRequest, { ...wanted, role: textOf(request, 'role') });
      if (findings.length > 0 || !role) return { kind: 'invalid', errors: findings.map((one) => toPolicyError(one)) };
      const outcome = await tokens.create(wanted, by, isDryRun(request));
      return outcome.kind === 'ok' ? ok({ document: document(outcome.view), token: outcome.token }) : outcome;
    }),
    RevokeToken: admin(async (request, { name: by }) => {
      const id = textOf(request, 'id');
      if (!/^[0-9a-f]{12}$/.test(id)) return absent(`token ${id.slice(0, 40)}`);
      const outcome = await tokens.revoke(id, by, isDryRun(request));
      return outcome.kind === 'ok' ? ok(document(outcome.view)) : outcome;
    }),
  };
}

const ok = (reply: object): Answer => ({ kind: 'ok', reply });
const absent = (what: string): Refusal => ({ kind: 'absent', detail: `there is no ${what}` });

function invalid(pointer: string, message: string): Refusal {
  const error: PolicyError = { pointer, message };
  return { kind: 'invalid', errors: [error] };
}

/** Names become keys and subjects: nothing but DNS labels. */
function named<T extends Answer | Promise<Answer>>(
  request: unknown,
  answer: (namespace: string, name: string) => T,
): T | Refusal {
  const name = textOf(request, 'name');
  if (!label.test(name)) return invalid('/name', 'is no DNS label');
  return inNamespace(request, (namespace) => answer(namespace, name));
}

function inNamespace<T extends Answer | Promise<Answer>>(
  request: unknown,
  answer: (namespace: string) => T,
): T | Refusal {
  const namespace = textOf(request, 'namespace');
  return label.test(namespace) ? answer(namespace) : invalid('/namespace', 'is no DNS label');
}

function list<T>(
  all: readonly T[],
  nameOf: (item: T) => string,
  request: unknown,
  version: (item: T) => string = () => '',
): Answer {
  const page = textOf(request, 'page');
  const limit = Math.min(pageMax, numberOf(request, 'limit') || pageMax);
  const found = pageOf(all, nameOf, { limit, ...(page === '' ? {} : { continue: page }) });
  return ok({ items: found.items.map((item) => document(item, version(item))), nextPage: found.continue ?? '' });
}

export function document(value: unknown, version = '') {
  return { json: JSON.stringify(value), version };
}

function writing(request: unknown, namespace: string, by: string): WriteOptions {
  const reason = textOf(request, 'reason').slice(0, 200) || undefined;
  return { namespace, by, reason, dryRun: isDryRun(request) };
}

/** As the header would have it; undefined: there is none. */
function ifMatchOf(request: unknown): string | undefined {
  const version = textOf(request, 'ifMatch');
  return version === '' || version === '*' ? version || undefined : entityTag(version);
}

/** What is no JSON is no policy either, and the parser says so. */
function jsonOf(request: unknown): unknown {
  try {
    return JSON.parse(textOf(request, 'json'));
  } catch {
    return undefined;
  }
}

export function textOf(request: unknown, field: string): string {
  const value = member(request, field);
  return typeof value === 'string' ? value : '';
}

function numberOf(request: unknown, field: string): number {
  const value = member(request, field);
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? value : 0;
}

const isDryRun = (request: unknown): boolean => member(request, 'dryRun') === true;
const namespaceOf = (request: unknown): string | undefined => textOf(request, 'namespace') || undefined;
const versionOf = ({ metadata }: TrafficPolicy): string => metadata.resourceVersion ?? '';
const rolloutKey = ({ namespace, name }: { namespace: string; name: string }): string => `${namespace}/${name}`;
const serviceKeyOf = ({ namespace, service }: { namespace: string; service: string }): string =>
  `${namespace}/${service}`;
const instanceKey = (one: { namespace: string; service: string; instance: string }): string =>
  `${serviceKeyOf(one)}/${one.instance}`;
const isIn = (namespace: string | undefined) => (one: { namespace: string }) =>
  namespace === undefined || one.namespace === namespace;
const byName =
  <T>(nameOf: (one: T) => string) =>
  (a: T, b: T): number =>
    nameOf(a) < nameOf(b) ? -1 : 1;
