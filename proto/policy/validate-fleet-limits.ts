/** Rate limits of the fleet that contradict themselves, or ask for what cannot be shared. */
import { type Finding, member, valueAt } from './problems.ts';

export function fleetLimitsThatClash(limit: unknown, at: string): Finding[] {
  const isFleet = member(limit, 'scope') === 'fleet';
  const share = member(limit, 'fleet');
  if (!isFleet) {
    if (share === undefined) return [];
    return [{ pointer: `${at}/fleet`, message: 'says how a fleet shares the limit, but the scope is perProxy', hint }];
  }
  const findings: Finding[] = [];
  if (share === undefined) {
    findings.push({
      pointer: `${at}/fleet`,
      message: 'scope fleet needs to know how many instances share the limit',
      hint: 'add fleet: { instancesMax: 20 }',
    });
  }
  if (member(limit, 'key') !== undefined) {
    findings.push({
      pointer: `${at}/key`,
      message:
        'a limit of the fleet is one bucket: each instance would have to tell the control plane of every key that a ' +
        'stranger makes up, ten times a second',
      hint: 'remove key, or limit keys with scope: perProxy',
    });
  }
  const algorithm = member(limit, 'algorithm');
  if (algorithm !== undefined && member(algorithm, 'tokenBucket') === undefined) {
    findings.push({
      pointer: `${at}/algorithm`,
      message: 'a limit of the fleet is a token bucket: windows and turns cannot be shared out',
      hint: 'remove algorithm',
    });
  }
  const isChunks = valueAt(share, '/allotment') === 'chunks';
  if (isChunks && valueAt(share, '/withoutControlPlane') === 'safe') {
    findings.push({
      pointer: `${at}/fleet/withoutControlPlane`,
      message: 'chunks know no safe rate: what was not given out is admitted by nobody',
      hint: 'write closed or open, or allotment: leases',
    });
  }
  return findings;
}

const hint = 'write scope: fleet, or remove fleet';
