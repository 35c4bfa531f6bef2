/** Everything a command touches outside itself, so that the tests hand in a fetch and read what was written. */

export interface Output {
  write(text: string): void;
  /** Whether a person watches: decides on colour and redrawing. */
  readonly isTTY: boolean;
}

export interface Context {
  /** Data. */
  readonly stdout: Output;
  /** Messages. */
  readonly stderr: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly fetch: typeof globalThis.fetch;
  readonly readFile: (path: string) => Promise<string>;
  readonly readStdin: () => Promise<string>;
  readonly wallMs: () => number;
  readonly sleep: (durationMs: number) => Promise<void>;
  /** Fires at Ctrl-C. */
  readonly interrupted: AbortSignal;
}
