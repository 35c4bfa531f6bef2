/** What is being done now, on stderr, so that stdout holds the report alone: one line rewritten on a terminal. */
const restartLine = '\r\x1b[K';

export class Progress {
  private readonly isTerminal = process.stderr.isTTY === true;
  private readonly startedAtMs = performance.now();
  private head = '';

  /** A new case: on anything but a terminal, the only line of it. */
  begin(head: string): void {
    this.head = head;
    if (!this.isTerminal) process.stderr.write(`${this.elapsed()} ${head}\n`);
  }

  step(message: string): void {
    if (this.isTerminal) process.stderr.write(`${restartLine}${this.elapsed()} ${this.head} · ${message}`);
  }

  /** Before anything else is printed. */
  clear(): void {
    if (this.isTerminal) process.stderr.write(restartLine);
  }

  private elapsed(): string {
    const seconds = Math.floor((performance.now() - this.startedAtMs) / 1000);
    return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
  }
}
