/**
 * Who may hold a part of a fleet limit: those that were heard and, after a change of leader, as many as the leader before
 * told its instances that there are. A leader knows nothing else of those it never heard.
 */
import type { Identity } from '../../proto/fleet-messages.ts';
import { memberKey, QuotaMember } from './quota-member.ts';

/** A message that is later than this is not in the model. */
export const lateMaxMs = 2000;
/** Processes of one name that are remembered; more only where it is restarted every half second. */
const processesMax = 4;

export class QuotaRoster {
  /** By instance and incarnation. */
  private readonly members = new Map<string, QuotaMember>();
  /** The same by name of the instance: more than one for a while after a restart. */
  private readonly processes = new Map<string, readonly QuotaMember[]>();
  /** As the leader before told, and how many of them this one knew or has heard since. */
  private formers = 0;
  private formersKnown = 0;
  /** Until then one of them may hold something without having been heard. */
  private formersUntilMs = 0;
  private present = 0;

  /** Begins to lead. `isFirst`: nobody led before. */
  lead(isFirst: boolean, formersUntilMs: number, nowMs: number): void {
    this.formers = isFirst ? 0 : this.announced(nowMs);
    this.formersKnown = this.count;
    this.formersUntilMs = formersUntilMs;
    for (const member of this.all()) {
      if (!isFirst) this.formers = Math.max(this.formers, member.echo);
      member.lead();
    }
  }

  /** One that still holds what the leader before gave it was told by that one how many there are. */
  noteFormer(member: QuotaMember, told: number): void {
    this.formers = Math.max(this.formers, told);
    if (member.isFormer) return;
    member.isFormer = true;
    this.formersKnown++;
  }

  get(identity: Identity): QuotaMember | undefined {
    return this.members.get(memberKey(identity));
  }

  /** undefined when there are too many. */
  add(identity: Identity, instancesMax: number): QuotaMember | undefined {
    if (this.members.size >= processesMax * instancesMax) return undefined;
    const member = new QuotaMember(identity);
    this.present++;
    this.members.set(memberKey(identity), member);
    this.processes.set(identity.instance, [...(this.processes.get(identity.instance) ?? []), member]);
    return member;
  }

  /**
   * Who speaks is a process of that name later than one that has been silent for as long as a message may be late: had it
   * been the earlier one, it would have spoken before the other. So that one is gone, with all that it held.
   */
  dropReplaced(by: QuotaMember, nowMs: number): void {
    const processes = this.processes.get(by.identity.instance);
    if (processes === undefined || processes.length === 1) return;
    for (const one of processes) if (one !== by && nowMs - one.heardAtMs >= lateMaxMs) this.drop(one);
  }

  /** It said goodbye, and is remembered only to know what is late of it. */
  leave(member: QuotaMember): void {
    member.leave();
    this.present--;
  }

  drop({ identity, hasLeft }: QuotaMember): void {
    if (!hasLeft) this.present--;
    this.members.delete(memberKey(identity));
    const left = this.processes.get(identity.instance)?.filter((one) => one.identity !== identity) ?? [];
    if (left.length === 0) this.processes.delete(identity.instance);
    else this.processes.set(identity.instance, left);
  }

  all(): Iterable<QuotaMember> {
    return this.members.values();
  }

  /** Those that have not said goodbye. */
  get count(): number {
    return this.present;
  }

  /** Of those that the leader before knew, how many this one has not heard. */
  unknown(nowMs: number): number {
    return nowMs < this.formersUntilMs ? Math.max(0, this.formers - this.formersKnown) : 0;
  }

  /** How many there may be, as instances are told. */
  announced(nowMs: number): number {
    return this.count + this.unknown(nowMs);
  }
}
