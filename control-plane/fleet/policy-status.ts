/**
 * "v3 on 8/8": of the live sidecars that should have a target's bundle, how many say that they obey it. Should have it:
 * the target's own, and those of services that call it. Draining ones are on their way out and not counted. Compared by
 * hash: the same content under another version is the same policy.
 */
import type { PolicyStatusView } from '../../proto/api.ts';
import type { Applied } from '../../proto/fleet-messages.ts';
import type { InstanceRecord } from './instance-record.ts';

/** What is published about a target. */
export interface PublishedBundle {
  readonly version: number;
  readonly hash: string;
  /** False once the last policy was deleted: sidecars obey nothing, but must have heard it. */
  readonly hasPolicy: boolean;
}

const listedMax = 100;

export function policyStatus(
  target: string,
  bundle: PublishedBundle | undefined,
  concerned: Iterable<InstanceRecord>,
  nowMs: number,
): PolicyStatusView {
  const rejected: { instance: string; message: string }[] = [];
  const behind: string[] = [];
  const held: string[] = [];
  let applied = 0;
  let expected = 0;
  if (bundle) {
    for (const record of concerned) {
      if (record.state(nowMs) !== 'live') continue;
      expected++;
      const status = record.applied.get(target);
      if (!status || isBehind(status, bundle)) behind.push(record.key);
      else if (status.status === 'rejected') rejected.push({ instance: record.key, message: status.message });
      else if (status.status === 'applied') applied++;
      else held.push(record.key);
    }
  }
  return {
    version: bundle?.hasPolicy ? bundle.version : null,
    hash: bundle?.hasPolicy ? bundle.hash : null,
    applied,
    expected,
    rejected: rejected.slice(0, listedMax),
    behind: behind.slice(0, listedMax),
    held: held.slice(0, listedMax),
    summary: summaryOf({ applied, expected, rejected, behind, held }),
  };
}

/** All live ones that have not said yet that they took or refused it, by their keys. */
export function behindOf(
  target: string,
  bundle: PublishedBundle,
  concerned: Iterable<InstanceRecord>,
  nowMs: number,
): string[] {
  const behind: string[] = [];
  for (const record of concerned) {
    const status = record.applied.get(target);
    if ((!status || isBehind(status, bundle)) && record.state(nowMs) === 'live') behind.push(record.key);
  }
  return behind;
}

function isBehind({ hash, status }: Applied, bundle: PublishedBundle): boolean {
  // Who cannot even read it does not know its hash.
  return hash !== bundle.hash && !(status === 'rejected' && hash === '');
}

type Counted = Pick<PolicyStatusView, 'applied' | 'expected' | 'rejected' | 'behind' | 'held'>;

/** `97/100: 2 stale, 1 refused because …` */
function summaryOf({ applied, expected, rejected, behind, held }: Counted): string {
  const parts: string[] = [];
  if (behind.length > 0) parts.push(`${behind.length} stale`);
  if (held.length > 0) parts.push(`${held.length} held`);
  if (rejected.length > 0) parts.push(`${rejected.length} refused ${whyOf(rejected)}`);
  const share = `${applied}/${expected}`;
  return parts.length === 0 ? share : `${share}: ${parts.join(', ')}`;
}

/** The reason that most of them give. */
function whyOf(rejected: PolicyStatusView['rejected']): string {
  const counts = new Map<string, number>();
  for (const { message } of rejected) counts.set(message, (counts.get(message) ?? 0) + 1);
  const [first] = [...counts].sort(([, a], [, b]) => b - a);
  if (first === undefined) return '';
  const [message, count] = first;
  return count === rejected.length ? `because ${message}` : `(${count} because ${message})`;
}
