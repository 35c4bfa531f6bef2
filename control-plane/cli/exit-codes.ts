/** How the command ends, the same for every command and every `-o`: scripts rely on it. */

export const ExitCode = {
  ok: 0,
  /** `diff` found differences, a probe or check failed, what was asked for does not exist. */
  failed: 1,
  usage: 2,
  unreachable: 3,
  denied: 4,
  conflict: 5,
  invalid: 6,
  timedOut: 7,
  interrupted: 130,
} as const;

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** Ends the command with a code, a message for stderr, and a hint what to do about it. */
export class CommandError extends Error {
  readonly exitCode: ExitCode;
  readonly hint: string | undefined;

  constructor(exitCode: ExitCode, message: string, hint?: string) {
    super(message);
    this.exitCode = exitCode;
    this.hint = hint;
  }
}

export const usageError = (message: string, hint?: string): CommandError =>
  new CommandError(ExitCode.usage, message, hint);
