/**
 * What a suite is: a name and a run that gives one result a case. A suite whose peer is not on this machine says so, and
 * how to get it, instead of passing.
 */

export type Verdict = 'passed' | 'failed' | 'skipped';

export interface CaseResult {
  readonly name: string;
  readonly verdict: Verdict;
  /** Why, where it is not passed. */
  readonly detail: string;
}

/** A program that is not here. */
export interface Absent {
  readonly program: string;
  readonly howToGet: string;
}

export type SuiteOutcome =
  | { readonly kind: 'ran'; readonly cases: readonly CaseResult[] }
  | ({ readonly kind: 'absent' } & Absent);

export interface Suite {
  readonly name: string;
  readonly about: string;
  run(): Promise<SuiteOutcome>;
}

export const ran = (cases: readonly CaseResult[]): SuiteOutcome => ({ kind: 'ran', cases });

/** Runs one case; what it throws is the reason of its failure. */
export async function judge(name: string, run: () => Promise<void>): Promise<CaseResult> {
  try {
    await run();
    return { name, verdict: 'passed', detail: '' };
  } catch (error) {
    return { name, verdict: 'failed', detail: error instanceof Error ? error.message : String(error) };
  }
}
