/** Time, handed in: monotonic for intervals and ages, wall time for people and for ids that outlive the process. */
export interface Clock {
  nowMs(): number;
  wallMs(): number;
}
