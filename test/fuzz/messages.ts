/** What the supervisor and the fuzzing thread say to each other. */

export interface FuzzOrder {
  readonly target: string;
  readonly seed: number;
  readonly seconds: number;
  readonly keep: boolean;
  /** The input of the moment. */
  readonly current: SharedArrayBuffer;
  /** Runs begun; length of the input of the moment; not 0 when it shall stop. */
  readonly state: SharedArrayBuffer;
}

export function isFuzzOrder(value: unknown): value is FuzzOrder {
  return typeof value === 'object' && value !== null && 'target' in value && 'current' in value && 'state' in value;
}

export type WorkerMessage =
  | {
      readonly kind: 'progress';
      readonly executions: number;
      readonly inputs: number;
      readonly features: number;
      readonly elapsedMs: number;
    }
  | {
      readonly kind: 'finding';
      readonly input: Uint8Array;
      readonly message: string;
      readonly stack: string;
      readonly executions: number;
    }
  | {
      readonly kind: 'done';
      readonly executions: number;
      readonly inputs: number;
      readonly features: number;
      readonly keep: readonly Uint8Array[];
    };
