/** The last minute of each service's request rate, one point a second; a second without a report is null, not zero. */
export const sparklinePoints = 60;

export class Sparklines {
  private readonly rates = new Map<string, (number | null)[]>();

  /** Once a second, with the rate of every service that is known; what is not named is forgotten. */
  push(current: ReadonlyMap<string, number | null>): void {
    for (const service of this.rates.keys()) if (!current.has(service)) this.rates.delete(service);
    for (const [service, rate] of current) {
      const points = this.rates.get(service) ?? [];
      points.push(rate);
      if (points.length > sparklinePoints) points.shift();
      this.rates.set(service, points);
    }
  }

  /** Always 60 points, the newest last. */
  of(service: string): (number | null)[] {
    const points = this.rates.get(service) ?? [];
    return [...new Array<null>(sparklinePoints - points.length).fill(null), ...points];
  }
}
