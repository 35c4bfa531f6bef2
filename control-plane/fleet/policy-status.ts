/**
 * "v3 on 8/8": of the live sidecars that should have a target's bundle, how many say that they obey it. Should have it:
 * the target's own, and those of services that call it. Draining ones are on their way out and not counted. Compared by
 * hash: the same content under another version is the same policy.
 */
import type { PolicyStatusView } from '../../proto/api.ts';
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
  let applied = 0;
  let expected = 0;
  if (bundle) {
    for (const record of concerned) {
      if (record.state(nowMs) !== 'live') continue;
      expected++;
      const status = record.applied.get(target);
      if (status?.hash === bundle.hash && status.status === 'applied') applied++;
      else if (status?.status === 'rejected') rejected.push({ instance: record.key, message: status.message });
      else behind.push(record.key);
    }
  }
  return {
    version: bundle?.hasPolicy ? bundle.version : null,
    hash: bundle?.hasPolicy ? bundle.hash : null,
    applied,
    expected,
    rejected: rejected.slice(0, listedMax),
    behind: behind.slice(0, listedMax),
  };
}
