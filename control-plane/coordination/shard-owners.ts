/**
 * Which control plane should lead which group of shards. Leases are per group and not per shard: 64 leases renewed
 * three times a second would be nearly 200 writes for nothing.
 *
 * Rendezvous hashing with a ceiling: each group goes to the member with the highest score for it that is not full yet.
 * Everybody who sees the same members finds the same owners, the shares differ by at most one, and few groups move
 * when a member comes or goes. It says who should, never who does: that is the lease's to decide, so that two who see
 * different members do no harm.
 */
import { fnv1a } from '../../proto/kernel/fnv.ts';
import { shardOf } from '../../proto/subjects.ts';

export const leaseGroupCount = 8;

export function groupOf(target: string): number {
  return shardOf(target) % leaseGroupCount;
}

/**
 * By group; `members` are the names of the living, `<id> <incarnation>`, in any order. Only the id has a say in who gets
 * what, so that one that restarts comes back to its groups. Empty when there are no members.
 */
export function shardOwners(members: readonly string[], groupCount = leaseGroupCount): string[] {
  if (members.length === 0) return [];
  const sorted = [...members].sort();
  const room = new Map(sorted.map((member) => [member, Math.floor(groupCount / sorted.length)]));
  let extra = groupCount % sorted.length;
  const owners: string[] = [];
  for (let group = 0; group < groupCount; group++) {
    const owner = highest(sorted, group, (member) => extra > 0 || (room.get(member) ?? 0) > 0);
    const left = room.get(owner) ?? 0;
    // Who has had its share may take one of those that do not divide evenly, once.
    if (left > 0) room.set(owner, left - 1);
    else {
      extra--;
      room.set(owner, Number.NEGATIVE_INFINITY);
    }
    owners.push(owner);
  }
  return owners;

  function highest(names: readonly string[], group: number, hasRoom: (member: string) => boolean): string {
    let best = '';
    let bestScore = -1;
    for (const member of names) {
      if (room.get(member) === Number.NEGATIVE_INFINITY || !hasRoom(member)) continue;
      const memberScore = score(member, group);
      if (memberScore <= bestScore) continue;
      best = member;
      bestScore = memberScore;
    }
    return best;
  }
}

/** FNV alone hardly mixes what comes last, so the group goes in before a finalizer (that of MurmurHash3). */
function score(member: string, group: number): number {
  let hash = fnv1a(member.slice(0, member.indexOf(' '))) ^ Math.imul(group + 1, 0x9e3779b1);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
