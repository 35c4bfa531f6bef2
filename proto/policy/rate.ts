/** Rates as people write them: a number of requests per second, minute or hour, such as `500/s` or `2.5/m`. */
const form = /^([0-9]{1,9}(?:\.[0-9]{1,6})?)\/(s|m|h)$/;
const unitSeconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 };

/** Requests per second, or undefined when the text is no rate. */
export function parseRate(text: string): number | undefined {
  const match = form.exec(text);
  return match ? Number(match[1]) / unitSeconds[match[2]!]! : undefined;
}

/** The burst of a limit that names none: what the rate gives in one second, at least one request. */
export function defaultBurst(ratePerSecond: number): number {
  return Math.max(1, Math.round(ratePerSecond));
}

/** The unit that a rate is written in; s when the text is no rate. */
export function rateUnit(text: string): string {
  return form.exec(text)?.[2] ?? 's';
}
