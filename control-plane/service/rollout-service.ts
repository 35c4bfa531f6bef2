/**
 * Staged rollouts: asked for, shown, and driven. The record of a rollout is one key, written by compare-and-set; every
 * control plane watches what the instances do, the target's leader writes what follows from it (policy/rollout.ts decides). When
 * the leader dies, the next one goes on from the record, with evidence of its own.
 */
import type { RolloutView } from '../../proto/api-rollout.ts';
import { canonicalJson } from '../../proto/policy/canonical-json.ts';
import { parsePolicyJson } from '../../proto/policy/parse.ts';
import { type TrafficPolicy, targetOf } from '../../proto/policy/schema.ts';
import { keys, parseServiceKey, streams } from '../../proto/subjects.ts';
import type { FleetView } from '../fleet/fleet-view.ts';
import { RolloutWatch, recentCounts } from '../fleet/rollout-watch.ts';
import { bundleContent, candidateSpec } from '../policy/resolve.ts';
import { checkIfMatch, createRevision, entityTag, updateRevision } from '../policy/revisions.ts';
import {
  aborted,
  beginRollout,
  decideRollout,
  isActive,
  paused,
  promoted,
  type Rollout,
  type RolloutFacts,
  resumed,
} from '../policy/rollout.ts';
import { checkRolloutRequest, rolloutView } from '../policy/rollout-request.ts';
import { chooseSalt } from '../policy/rollout-salt.ts';
import type { Audit } from './audit.ts';
import { isConflict } from './bus.ts';
import type { Clock } from './clock.ts';
import type { TargetLeadership } from './leadership.ts';
import { attempt, type Outcome } from './outcomes.ts';
import type { StoredRollout } from './policy-records.ts';
import type { PolicyService, WriteOptions, Written } from './policy-service.ts';
import type { PolicyStore } from './policy-store.ts';

/** Kept, one a policy; beyond it the longest finished is forgotten. */
export const rolloutsMax = 1_000;
/** At once; each of them looks at every instance concerned twice a second. */
export const activeRolloutsMax = 50;

export interface RolloutServiceOptions {
  readonly store: PolicyStore;
  readonly policies: PolicyService;
  readonly fleet: FleetView;
  readonly audit: Audit;
  readonly clock: Clock;
  readonly leadership: TargetLeadership;
  /** Default: rolloutsMax. */
  readonly keptMax?: number;
  /** Something happened to a rollout, in words for people. */
  readonly onStep: (target: string, text: string) => void;
}

type Shown = Outcome<{ readonly rollout: RolloutView }>;
export type RolloutAction = 'pause' | 'resume' | 'promote' | 'abort';

interface Watched {
  readonly watch: RolloutWatch;
  facts: RolloutFacts | null;
  waitingFor: string;
}

export class RolloutService {
  private readonly options: RolloutServiceOptions;
  private readonly store: PolicyStore;
  /** By the rollout's policy and id. */
  private readonly watched = new Map<string, Watched>();
  private driving = false;

  constructor(options: RolloutServiceOptions) {
    this.options = options;
    this.store = options.store;
  }

  list(namespace?: string): RolloutView[] {
    const all = [...this.store.rollouts.values()].map((stored) => this.view(stored));
    return all
      .filter((one) => namespace === undefined || one.namespace === namespace)
      .sort((a, b) => (`${a.namespace}/${a.name}` < `${b.namespace}/${b.name}` ? -1 : 1));
  }

  countByPhase(): Map<string, number> {
    const counts = new Map<string, number>();
    for (const { rollout } of this.store.rollouts.values())
      counts.set(rollout.phase, (counts.get(rollout.phase) ?? 0) + 1);
    return counts;
  }

  get(namespace: string, name: string): RolloutView | undefined {
    const stored = this.store.rollouts.get(`${namespace}/${name}`);
    return stored && this.view(stored);
  }

  /** `ifMatch` names the version of the policy that the candidate was made from; without one, there is none. */
  async start(name: string, request: unknown, ifMatch: string | undefined, options: WriteOptions): Promise<Shown> {
    const checked = checkRolloutRequest(request);
    if (!checked.ok) return { kind: 'invalid', errors: checked.errors };
    const { namespace, by, reason = '', dryRun } = options;
    const parsed = parsePolicyJson(checked.document, { namespace, name });
    if (!parsed.ok) {
      const errors = parsed.errors.map((error) => ({ ...error, pointer: `/policy${error.pointer}` }));
      return { kind: 'invalid', errors };
    }
    return attempt<{ readonly rollout: RolloutView }>(this.options.policies.isWritable(), async () => {
      const known = await this.store.fresh(namespace, name);
      const current = known?.revision.policy ?? null;
      if (known && current) {
        const precondition = checkIfMatch(ifMatch, String(known.kvRevision));
        if (precondition === 'missing') return { kind: 'unconditional', current };
        if (precondition === 'stale') return { kind: 'stale', current };
      }
      const wallMs = this.options.clock.wallMs();
      const facts = { wallMs, by, reason, lastRevision: known?.revision.revision ?? 0 };
      const next = current ? updateRevision(current, parsed.policy, facts) : createRevision(parsed.policy, facts);
      const candidate = next?.policy;
      if (!candidate) return { kind: 'inapplicable', detail: 'the policy says that already' };
      const target = targetOf(candidate);
      if (current && targetOf(current) !== target)
        return { kind: 'inapplicable', detail: 'a rollout cannot turn a policy to another service' };
      const obstacle = this.obstacle(`${namespace}/${name}`, target, candidate);
      if (obstacle) return obstacle;
      if (!dryRun) await this.makeRoom(`${namespace}/${name}`);
      const { stages, tolerance } = checked;
      const now = this.options.clock.nowMs();
      const concerned = [...this.options.fleet.concernedBy(target)];
      const rollout = beginRollout({
        policy: `${namespace}/${name}`,
        target,
        baseRevision: facts.lastRevision,
        candidate,
        stages,
        tolerance,
        salt: this.saltFor(`${name}-${facts.lastRevision}-${wallMs}`, target, stages[0]?.percent ?? 0),
        by,
        reason,
        before: recentCounts(concerned, target, now),
        wallMs,
      });
      return this.write(rollout, this.store.rollouts.get(rollout.policy)?.kvRevision ?? 0, dryRun);
    });
  }

  /** `ifMatch` names the version of the rollout; `*` any. */
  async act(action: RolloutAction, name: string, ifMatch: string | undefined, options: WriteOptions): Promise<Shown> {
    const { namespace, by, reason = '', dryRun } = options;
    return attempt<{ readonly rollout: RolloutView }>(this.options.policies.isWritable(), async () => {
      const stored = this.store.rollouts.get(`${namespace}/${name}`);
      if (!stored) return { kind: 'absent', detail: `there is no rollout of ${namespace}/${name}` };
      const precondition = checkIfMatch(ifMatch, String(stored.kvRevision));
      if (precondition === 'missing') return { kind: 'unconditional', current: this.view(stored) };
      if (precondition === 'stale') return { kind: 'stale', current: this.view(stored) };
      const { rollout } = stored;
      const isPaused = rollout.phase === 'paused';
      if (!this.store.isInForce(rollout) || (action === 'pause' && isPaused) || (action === 'resume' && !isPaused))
        return { kind: 'inapplicable', detail: `the rollout is ${rollout.phase}` };
      const wallMs = this.options.clock.wallMs();
      switch (action) {
        case 'pause':
          return this.write(paused(rollout, wallMs, by, reason), stored.kvRevision, dryRun);
        case 'resume':
          return this.write(resumed(rollout, wallMs, by), stored.kvRevision, dryRun);
        case 'abort':
          return this.write(aborted(rollout, wallMs, by, reason), stored.kvRevision, dryRun);
        case 'promote': {
          const written = await this.promote(rollout, by, dryRun);
          if (written.kind !== 'ok') return written;
          return this.write(promoted(rollout, wallMs, by), stored.kvRevision, dryRun);
        }
      }
    });
  }

  /** Twice a second: everybody looks, the leader acts. */
  async tick(): Promise<void> {
    this.look();
    if (this.driving || !this.options.policies.isWritable()) return;
    this.driving = true;
    try {
      for (const stored of [...this.store.rollouts.values()]) {
        const facts = this.watched.get(watchKey(stored.rollout))?.facts;
        const { leadership } = this.options;
        if (facts && isActive(stored.rollout) && leadership.leads(stored.rollout.target))
          await this.drive(stored, facts);
      }
    } finally {
      this.driving = false;
    }
  }

  private async drive(stored: StoredRollout, facts: RolloutFacts): Promise<void> {
    const decision = decideRollout(stored.rollout, facts, this.options.clock.wallMs());
    if (decision.kind === 'wait') return;
    if (decision.kind === 'promote') {
      const written = await this.promote(stored.rollout, stored.rollout.by, false);
      if (written.kind !== 'ok') return;
    }
    await attempt(true, () => this.write(decision.rollout, stored.kvRevision, false));
  }

  private look(): void {
    const { clock, fleet } = this.options;
    const active = new Set<string>();
    for (const { rollout } of this.store.rollouts.values()) {
      if (!isActive(rollout)) continue;
      const key = watchKey(rollout);
      active.add(key);
      const known = this.watched.get(key) ?? {
        watch: new RolloutWatch(rollout.target),
        facts: null,
        waitingFor: '',
      };
      this.watched.set(key, known);
      known.facts = this.factsOf(rollout, known.watch, fleet, clock.nowMs());
      if (!known.facts) continue;
      const decision = decideRollout(rollout, known.facts, clock.wallMs());
      known.waitingFor = decision.kind === 'wait' ? decision.text : '';
    }
    for (const key of this.watched.keys()) if (!active.has(key)) this.watched.delete(key);
  }

  /** null while the bundle with this candidate is not published yet. */
  private factsOf(rollout: Rollout, watch: RolloutWatch, fleet: FleetView, nowMs: number): RolloutFacts | null {
    const document = this.store.documents.get(rollout.policy);
    const documentRevision = document?.revision.revision ?? 0;
    const spec = document?.revision.policy?.spec;
    const isDocumentCandidate = spec !== undefined && canonicalJson(spec) === canonicalJson(rollout.candidate.spec);
    const bundle = this.store.bundles.get(rollout.target)?.bundle;
    const isPublished = bundle?.salt === rollout.salt && bundle.percent === rollout.stages[rollout.stage]?.percent;
    if (documentRevision === rollout.baseRevision && !isPublished) return null;
    const seen = bundle ? watch.look(bundle, fleet.concernedBy(rollout.target), nowMs) : nothingSeen;
    return { documentRevision, isDocumentCandidate, ...seen };
  }

  /** The candidate becomes the document's next revision; `stale` when somebody wrote it in the meantime. */
  private async promote(rollout: Rollout, by: string, dryRun: boolean): Promise<Written> {
    const [namespace = '', name = ''] = rollout.policy.split('/');
    const { policies } = this.options;
    const known = await this.store.fresh(namespace, name);
    if ((known?.revision.revision ?? 0) !== rollout.baseRevision)
      return { kind: 'stale', current: known?.revision.policy ?? null };
    const { metadata, ...document } = rollout.candidate;
    const { labels } = metadata;
    const written = { ...document, metadata: { name, namespace, ...(labels && { labels }) } };
    const options = { namespace, by, dryRun, reason: rollout.reason === '' ? 'rollout' : `rollout: ${rollout.reason}` };
    return known?.revision.policy
      ? policies.replace(written, name, entityTag(String(known.kvRevision)), options)
      : policies.create(written, options);
  }

  private async write(rollout: Rollout, kvRevision: number, dryRun: boolean): Promise<Shown> {
    const [namespace = '', name = ''] = rollout.policy.split('/');
    if (dryRun) return { kind: 'ok', rollout: this.view({ rollout, kvRevision }) };
    const { bucket } = this.store;
    const key = keys.rollout(namespace, name);
    const text = JSON.stringify(rollout);
    try {
      const written = kvRevision > 0 ? await bucket.update(key, text, kvRevision) : await bucket.create(key, text);
      this.store.rememberRollout(rollout.policy, rollout, written);
    } catch (error) {
      if (!isConflict(error)) throw error;
      const winner = this.store.rollouts.get(rollout.policy);
      return { kind: 'stale', current: winner ? this.view(winner) : null };
    }
    // The bundle follows; if this fails, reconciliation publishes it.
    await this.options.policies.publish(rollout.target).catch(() => {});
    const step = rollout.steps.at(-1);
    const service = parseServiceKey(rollout.target);
    if (service && step)
      this.options.audit.record(streams.event('rollout', service), {
        v: 1,
        kind: 'rollout',
        policy: rollout.policy,
        id: rollout.id,
        ...step,
      });
    this.options.onStep(rollout.target, `rollout of ${rollout.policy} ${rollout.phase}: ${step?.text ?? ''}`);
    const stored = this.store.rollouts.get(rollout.policy);
    return { kind: 'ok', rollout: this.view(stored ?? { rollout, kvRevision }) };
  }

  private obstacle(policy: string, target: string, candidate: TrafficPolicy) {
    const active = [...this.store.rollouts.values()].filter(({ rollout }) => this.store.isInForce(rollout));
    const rival = active.find(({ rollout }) => rollout.policy === policy || rollout.target === target);
    if (rival) return { kind: 'exists', current: this.view(rival) } as const;
    if (active.length >= activeRolloutsMax)
      return { kind: 'full', detail: `${active.length} rollouts are under way, the most that are allowed` } as const;
    const documents = this.store.documentsAbout(target);
    const before = bundleContent(target, documents).stable;
    if (canonicalJson(before) !== canonicalJson(candidateSpec(target, documents, candidate))) return undefined;
    const detail = `it would change nothing for ${target}: another policy takes precedence, or the defaults say the same`;
    return { kind: 'inapplicable', detail } as const;
  }

  /** At the bound the one that has been over for the longest time is forgotten; the audit still knows of it. */
  private async makeRoom(policy: string): Promise<void> {
    const { rollouts, bucket } = this.store;
    if (rollouts.size < (this.options.keptMax ?? rolloutsMax) || rollouts.has(policy)) return;
    const over = [...rollouts].filter(([, { rollout }]) => !isActive(rollout));
    const [oldest] = over.sort(([, a], [, b]) => a.kvRevision - b.kvRevision);
    if (!oldest) return;
    const [namespace = '', name = ''] = oldest[0].split('/');
    await bucket.purge(keys.rollout(namespace, name));
    rollouts.delete(oldest[0]);
  }

  private saltFor(prefix: string, target: string, percent: number): string {
    const { fleet, clock } = this.options;
    const own: string[] = [];
    const callers: string[] = [];
    for (const record of fleet.concernedBy(target)) {
      if (record.state(clock.nowMs()) === 'live')
        (record.service === target ? own : callers).push(record.heartbeat.identity.instance);
    }
    return chooseSalt(prefix, percent, [own, callers]);
  }

  private view(stored: StoredRollout): RolloutView {
    const { rollout, kvRevision } = stored;
    const watched = isActive(rollout) ? this.watched.get(watchKey(rollout)) : undefined;
    return rolloutView(rollout, String(kvRevision), watched?.facts ?? null, watched?.waitingFor ?? '');
  }
}

const watchKey = ({ policy, id }: Rollout): string => `${policy} ${id}`;

const none = { requests: 0, rejected: 0, succeeded: 0, failed: 0 };
const nothingSeen = {
  chosen: 0,
  refused: [],
  awaited: 0,
  inbound: { candidate: none, stable: none },
  outbound: { candidate: none, stable: none },
  observedMs: 0,
};
