/**
 * What the live demo shows once a second: a table redrawn in place on a terminal, one line otherwise. Missing values
 * are a dash: they are neither zero nor well.
 */
import type { ServiceView } from '../../proto/api.ts';
import type { Tally } from './tally.ts';

export interface Frame {
  readonly elapsedSeconds: number;
  readonly phase: string;
  readonly secondsLeft: number;
  readonly offeredPerSecond: number;
  readonly capacityPerSecond: number;
  readonly without: Tally;
  readonly with: Tally;
  readonly nowMs: number;
  /** `payments` as the control plane sees it; undefined when it did not answer. */
  readonly payments: ServiceView | undefined;
  /** Callers of `payments` by effective breaker state: "closed 4". */
  readonly breakers: string;
}

const esc = '\u001b[';
const leftWidth = 14;
const columnWidth = 34;

export class View {
  private readonly out: NodeJS.WriteStream;
  private readonly isLive: boolean;
  private readonly hasColor: boolean;
  private linesDrawn = 0;

  constructor(out: NodeJS.WriteStream, env: NodeJS.ProcessEnv) {
    this.out = out;
    this.isLive = out.isTTY === true && env.TERM !== 'dumb';
    this.hasColor = this.isLive && !env.NO_COLOR;
  }

  /** A line that stays, above the table. */
  say(text: string): void {
    this.erase();
    this.out.write(`${text}\n`);
  }

  draw(frame: Frame): void {
    if (!this.isLive) {
      this.out.write(`${oneLine(frame)}\n`);
      return;
    }
    const lines = this.table(frame);
    this.erase();
    this.out.write(`${lines.join('\n')}\n`);
    this.linesDrawn = lines.length;
  }

  private erase(): void {
    if (this.linesDrawn > 0) this.out.write(`${esc}${this.linesDrawn}A${esc}0J`);
    this.linesDrawn = 0;
  }

  private table(frame: Frame): string[] {
    const width = Math.max(40, this.out.columns ?? 100) - 1;
    const row = (name: string, left: string, right: string): string =>
      `  ${name.padEnd(leftWidth)}${left.padEnd(columnWidth)}${right}`.slice(0, width);
    const both = (name: string, of: (tally: Tally) => string): string => row(name, of(frame.without), of(frame.with));
    const at = frame.nowMs;
    const lines = [
      '',
      this.paint(
        '1',
        `  ${frame.phase} · ${frame.secondsLeft} s left · ${frame.offeredPerSecond.toFixed(0)}/s to each side, payments can do ${frame.capacityPerSecond.toFixed(0)}/s`.slice(
          0,
          width,
        ),
      ),
      '',
      this.paint('1', row('', 'without Weir', 'with Weir')),
      this.goodputRow(frame, row),
      both('p99', p99),
      both('rejected', (tally) => reasons(tally.refusedByReason, tally, at)),
      both('too late', (tally) => `${tally.perSecond(tally.late, at).toFixed(0)}/s`),
      both('failed', (tally) => reasons(tally.failedByReason, tally, at)),
      row('breakers', 'none', frame.breakers),
      row('policy', 'none', policy(frame.payments)),
      '',
    ];
    return lines;
  }

  private goodputRow(frame: Frame, row: (name: string, left: string, right: string) => string): string {
    const wanted = Math.max(1, Math.min(frame.offeredPerSecond, frame.capacityPerSecond));
    const plain = row('goodput', goodput(frame.without, frame.nowMs), goodput(frame.with, frame.nowMs));
    if (!this.hasColor) return plain;
    const color = (tally: Tally): string => {
      const share = tally.goodputPerSecond(frame.nowMs) / wanted;
      return share >= 0.85 ? '32' : share >= 0.5 ? '33' : '31';
    };
    const cut = 2 + leftWidth + columnWidth;
    const head = plain.slice(0, 2 + leftWidth);
    return (
      head +
      this.paint(color(frame.without), plain.slice(2 + leftWidth, cut)) +
      this.paint(color(frame.with), plain.slice(cut))
    );
  }

  private paint(code: string, text: string): string {
    return this.hasColor ? `${esc}${code}m${text}${esc}0m` : text;
  }
}

function oneLine(frame: Frame): string {
  const at = frame.nowMs;
  const side = (tally: Tally): string => {
    const parts = [`${tally.goodputPerSecond(at).toFixed(0)}/s good`, `p99 ${p99(tally)}`];
    if (tally.refused > 0) parts.push(`rejected ${reasons(tally.refusedByReason, tally, at)}`);
    if (tally.late > 0) parts.push(`late ${tally.perSecond(tally.late, at).toFixed(0)}/s`);
    if (tally.failed > 0) parts.push(`failed ${reasons(tally.failedByReason, tally, at)}`);
    return parts.join(' ');
  };
  return (
    `${String(frame.elapsedSeconds).padStart(4)} s  ${frame.phase}, ${frame.offeredPerSecond.toFixed(0)}/s offered | ` +
    `without: ${side(frame.without)} | with: ${side(frame.with)}, breakers ${frame.breakers}, policy ${policy(frame.payments)}`
  );
}

const goodput = (tally: Tally, nowMs: number): string => `${tally.goodputPerSecond(nowMs).toFixed(0)}/s`;

function p99(tally: Tally): string {
  const value = tally.quantileMs(0.99);
  return Number.isNaN(value) ? '–' : `${value.toFixed(0)} ms`;
}

function reasons(byReason: ReadonlyMap<string, number>, tally: Tally, nowMs: number): string {
  if (byReason.size === 0) return '0/s';
  return [...byReason]
    .sort((a, b) => b[1] - a[1])
    .map(([reason, count]) => `${reason} ${tally.perSecond(count, nowMs).toFixed(0)}/s`)
    .join(', ');
}

function policy(service: ServiceView | undefined): string {
  if (service === undefined) return '– (control plane does not answer)';
  const { version, applied, expected } = service.policy;
  return version === null ? '–' : `v${version} on ${applied}/${expected}`;
}
