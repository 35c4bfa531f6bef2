/**
 * Which of the connections to one endpoint carries the next request, and how many more to dial. Streams fill the first
 * connection before they spill over to the next: shared connections share their writes, and the last ones fall idle and
 * close when the load goes. But a stalled connection is not filled while another has room:
 *
 *   its socket takes nothing (blocked)    the peer does not read: not even a head would get through. A spare is dialled
 *   the peer gives no credit (exhausted)  the peer asks for less content. Requests without content still go through,
 *                                         and a spare would only get around the backpressure
 */

/** A socket that has taken nothing for this long is blocked; shorter waits are everyday. */
export const blockedAfterMs = 50;
/** Connections dialled because others are blocked; each must be blocked before the next is dialled. */
export const sparesMax = 3;
/** Connections to one endpoint that are being opened at a time. */
export const dialsAtOnceMax = 8;

export interface Candidate {
  /** Whether a stream can be opened on it now. */
  readonly canOpenStream: boolean;
  /** Since when its socket has taken nothing; Infinity while nothing waits for the socket. */
  readonly blockedSinceMs: number;
  /** The peer's credit for the whole connection is used up. */
  readonly isCreditExhausted: boolean;
}

export function isBlocked(candidate: Candidate, nowMs: number): boolean {
  return nowMs - candidate.blockedSinceMs >= blockedAfterMs;
}

/** The index of the best, -1 when none has room. One look in the common case: the first has room and flows. */
export function chooseConnection(candidates: readonly Candidate[], nowMs: number): number {
  let exhausted = -1;
  let blocked = -1;
  for (let i = 0; i < candidates.length; i++) {
    const candidate = candidates[i]!;
    if (!candidate.canOpenStream) continue;
    if (isBlocked(candidate, nowMs)) {
      if (blocked < 0) blocked = i;
    } else if (candidate.isCreditExhausted) {
      if (exhausted < 0) exhausted = i;
    } else return i;
  }
  return exhausted >= 0 ? exhausted : blocked;
}

/** Whether to dial one more because what has room is blocked. A peer that reads on none of them gets no more. */
export function wantsSpare(candidates: readonly Candidate[], nowMs: number): boolean {
  let blocked = 0;
  for (const candidate of candidates) if (isBlocked(candidate, nowMs)) blocked++;
  return blocked > 0 && blocked <= sparesMax;
}

export interface DialFacts {
  readonly waiting: number;
  /** Those that stand and take streams. */
  readonly open: number;
  readonly dialling: number;
  /** What one connection carries, by the SETTINGS that came last; -1 = none came yet. */
  readonly streamsPerConnection: number;
  readonly connectionsMax: number;
}

/**
 * How many connections to dial now: what the waiters need beyond those on their way. Before the first SETTINGS it is
 * not known how many that is, so one goes ahead and finds out.
 */
export function connectionsToDial(facts: DialFacts): number {
  const { waiting, open, dialling, streamsPerConnection, connectionsMax } = facts;
  const allowed = Math.min(connectionsMax - open - dialling, dialsAtOnceMax - dialling);
  if (waiting === 0 || allowed <= 0) return 0;
  // 0: the peer takes no streams for now. More connections to it would carry none either.
  if (streamsPerConnection <= 0) return open + dialling === 0 ? 1 : 0;
  return Math.max(0, Math.min(allowed, Math.ceil(waiting / streamsPerConnection) - dialling));
}
