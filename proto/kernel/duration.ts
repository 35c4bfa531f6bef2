/**
 * Durations as people write them: Gateway API strings (GEP-2257), one to four groups of a number and a unit, such as
 * `500ms` or `1m30s`. Inside, a duration is a number of milliseconds.
 */
const form = /^(?:[0-9]{1,5}(?:h|ms|m|s)){1,4}$/;
const group = /([0-9]{1,5})(h|ms|m|s)/g;
const unitMs: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };

/** Milliseconds, or undefined when the text is no duration. */
export function parseDuration(text: string): number | undefined {
  if (!form.test(text)) return undefined;
  let totalMs = 0;
  for (const [, amount, unit] of text.matchAll(group)) totalMs += Number(amount) * unitMs[unit!]!;
  return totalMs;
}

/** The shortest such text for whole milliseconds, at most 99,999 hours. */
export function formatDuration(durationMs: number): string {
  let rest = Math.max(0, Math.round(durationMs));
  if (rest === 0) return '0s';
  let text = '';
  for (const unit of ['h', 'm', 's', 'ms']) {
    const amount = Math.floor(rest / unitMs[unit]!);
    rest -= amount * unitMs[unit]!;
    if (amount > 0) text += `${Math.min(amount, 99_999)}${unit}`;
  }
  return text;
}
