/** What became of a failure that a policy would repeat, and of a hedge that was due: one count each time. */

/** Index = RetryResult. */
export const retryResultNames = [
  'retried',
  'would_retry',
  'no_budget',
  'pushback',
  'attempts_spent',
  'not_replayable',
  'no_time',
  'other_layer',
  'breaker_open',
  'upstream_level',
  'client_throttle',
] as const;

export const RetryResult = {
  /** Another attempt was made. */
  retried: 0,
  /** It would have been, but for shadow. */
  wouldRetry: 1,
  noBudget: 2,
  /** The service said not to, or not for longer than is worth waiting. */
  pushback: 3,
  attemptsSpent: 4,
  /** Too much of its content was sent, or its answer had begun. */
  notReplayable: 5,
  /** Its deadline comes before the next attempt. */
  noTime: 6,
  /** The request, or the one it was made for, is a retry itself: that layer retries, this one does not. */
  otherLayer: 7,
  breakerOpen: 8,
  /** The target would refuse it, by the level that it told; of a retry, a tier less. */
  upstreamLevel: 9,
  clientThrottle: 10,
} as const;

/** Index = HedgeResult. */
export const hedgeResultNames = ['sent', 'won', 'would_send', 'no_budget', 'suppressed'] as const;

export const HedgeResult = {
  sent: 0,
  /** Of those, the ones whose answer came first. */
  won: 1,
  wouldSend: 2,
  noBudget: 3,
  /** After a pushback, or while the breaker is open. */
  suppressed: 4,
} as const;
