/** What outlier detection is told to look for, and how far it may go. */
export interface OutlierSettings {
  /** Failures in a row; 0 = not a condition. */
  readonly consecutiveFailures: number;
  /** Share of successes below mean − factor · standard deviation of the endpoints; null = not a condition. */
  readonly successRate: {
    readonly stdevFactor: number;
    readonly minHosts: number;
    readonly minRequests: number;
  } | null;
  /** Mean latency above factor · median of the endpoints; null = not a condition. */
  readonly latency: { readonly factor: number; readonly minHosts: number; readonly minRequests: number } | null;
  /** From one comparison of the endpoints to the next. */
  readonly intervalMs: number;
  readonly baseEjectionMs: number;
  readonly maxEjectionMs: number;
  /** Of the endpoints that could take requests, those that may be ejected at once, the one in question included. */
  readonly maxEjectedPercent: number;
  /** Everything is decided and counted, and nobody is left out. */
  readonly shadow: boolean;
}
