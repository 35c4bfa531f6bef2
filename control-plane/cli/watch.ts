/**
 * `-w`: the same picture again each second. On a terminal it is drawn in place; in a pipe it is printed again when it
 * changed. A control plane that goes away is said once, and waited for.
 */
import type { Context } from './context.ts';
import { CommandError, ExitCode } from './exit-codes.ts';

const intervalMs = 1_000;

export async function watch(context: Context, picture: () => Promise<string>): Promise<ExitCode> {
  let last: string | undefined;
  let lost = false;
  while (!context.interrupted.aborted) {
    try {
      const now = await picture();
      if (lost) context.stderr.write('the control plane answers again\n');
      lost = false;
      if (context.stdout.isTTY) context.stdout.write(redraw(now));
      else if (now !== last) context.stdout.write(last === undefined ? now : `\n${now}`);
      last = now;
    } catch (error) {
      // At the first look an error is an answer; later it is an outage to sit out.
      const passing = error instanceof CommandError && isOutage(error.exitCode);
      if (!passing || last === undefined) throw error;
      if (!lost) context.stderr.write(`${error.message}; waiting for it\n`);
      lost = true;
    }
    await context.sleep(intervalMs);
  }
  return ExitCode.interrupted;
}

const isOutage = (code: ExitCode): boolean => code === ExitCode.unreachable || code === ExitCode.timedOut;

/** Home, every line cleared to its end, the rest of the screen cleared: no flicker. */
function redraw(picture: string): string {
  return `\u001b[H${picture.replaceAll('\n', '\u001b[K\n')}\u001b[J`;
}
