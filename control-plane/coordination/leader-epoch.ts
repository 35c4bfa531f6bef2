/**
 * The epoch of a leader: when the lease's stream was created, and the revision by which the lease was taken over. Both
 * are padded, so that comparing strings compares epochs; the creation time stands first, so that a bucket that was
 * wiped, whose revisions begin again at 1, still yields higher epochs than before.
 */
const digits = 16;

export function leaderEpoch(streamCreatedMs: number, takeoverRevision: number): string {
  return `${pad(streamCreatedMs)}.${pad(takeoverRevision)}`;
}

function pad(value: number): string {
  return Math.trunc(value).toString().padStart(digits, '0');
}
