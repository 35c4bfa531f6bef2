/**
 * What a policy would do, asked of those who know: some of the service's own sidecars let it rehearse on the traffic that
 * they recorded, with the very objects that would enforce it. Nothing is written, and nothing in force is touched.
 */
import type { ImpactView } from '../../proto/api-impact.ts';
import { decodeCommandReply, encodeCommand } from '../../proto/fleet.ts';
import { parsePolicyJson } from '../../proto/policy/parse.ts';
import { targetOf } from '../../proto/policy/schema.ts';
import { type Rehearsed, readRehearsed } from '../../proto/rehearsal.ts';
import { parseServiceKey, subjects } from '../../proto/subjects.ts';
import type { FleetView } from '../fleet/fleet-view.ts';
import { impactOf } from '../policy/impact.ts';
import type { Bus } from './bus.ts';
import type { Clock } from './clock.ts';
import type { Outcome } from './outcomes.ts';
import { readJson } from './policy-records.ts';

/** Sidecars asked; the load of one service is much the same at all of them. */
export const askedMax = 10;
/** As long as a sidecar may answer at all. */
const answerMs = 5_000;

export interface ImpactServiceOptions {
  readonly bus: Bus;
  readonly fleet: FleetView;
  readonly clock: Clock;
}

export class ImpactService {
  private readonly options: ImpactServiceOptions;

  constructor(options: ImpactServiceOptions) {
    this.options = options;
  }

  async impact(namespace: string, name: string, document: unknown): Promise<Outcome<{ readonly impact: ImpactView }>> {
    const parsed = parsePolicyJson(document, { namespace, name });
    if (!parsed.ok) return { kind: 'invalid', errors: parsed.errors };
    const { bus, fleet, clock } = this.options;
    if (!bus.isConnected()) return { kind: 'unavailable', detail: 'there is no connection to NATS' };
    const target = targetOf(parsed.policy);
    const service = parseServiceKey(target);
    const live = [...fleet.instancesOf(target)].filter((record) => record.state(clock.nowMs()) === 'live');
    const request = encodeCommand({ name: 'rehearse', json: JSON.stringify(parsed.policy) });
    const rehearsed: Rehearsed[] = [];
    const silent: { instance: string; message: string }[] = [];
    const ask = async (instance: string, key: string): Promise<void> => {
      if (!service) return;
      try {
        const bytes = await bus.request(subjects.command(service, instance), request, answerMs);
        const reply = decodeCommandReply(bytes);
        const result = reply?.ok ? readRehearsed(readJson(new TextEncoder().encode(reply.json))) : undefined;
        if (result) rehearsed.push(result);
        else silent.push({ instance: key, message: reply?.message || 'its answer cannot be read' });
      } catch (error) {
        silent.push({ instance: key, message: error instanceof Error ? error.message : 'it does not answer' });
      }
    };
    await Promise.all(live.slice(0, askedMax).map(({ heartbeat, key }) => ask(heartbeat.identity.instance, key)));
    return { kind: 'ok', impact: impactOf(target, { rehearsed, silent }) };
  }
}
