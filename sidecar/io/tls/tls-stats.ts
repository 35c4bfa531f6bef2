/** Counts of handshakes and PROXY headers, for metrics and /stats; one object for the whole proxy. */

export const handshakeResults = [
  'full',
  'resumed',
  'plain_text',
  'certificate',
  'timeout',
  'handshakes_max',
  'failed',
] as const;
export type HandshakeResult = (typeof handshakeResults)[number];

export const proxyHeaderResults = ['proxied', 'local', 'malformed', 'timeout'] as const;
export type ProxyHeaderResult = (typeof proxyHeaderResults)[number];

/** The numbers as plain data, which may cross threads. */
export interface TlsReading {
  readonly downstream: Readonly<Record<string, number>>;
  readonly upstream: Readonly<Record<string, number>>;
  readonly proxyHeaders: Readonly<Record<string, number>>;
  readonly certificates: readonly CertificateReading[];
}

export interface CertificateReading {
  /** `inbound`, `upstream` or `app`. */
  readonly use: string;
  /** End of validity; undefined where there is no certificate of our own. */
  readonly expiresWallMs: number | undefined;
  readonly reloads: number;
  readonly failures: number;
}

export class TlsStats {
  readonly downstream = zeros(handshakeResults);
  readonly upstream = zeros(handshakeResults);
  readonly proxyHeaders = zeros(proxyHeaderResults);

  reading(certificates: Iterable<CertificateReading>): TlsReading {
    return {
      downstream: Object.fromEntries(this.downstream),
      upstream: Object.fromEntries(this.upstream),
      proxyHeaders: Object.fromEntries(this.proxyHeaders),
      certificates: Array.from(certificates, ({ use, expiresWallMs, reloads, failures }) => ({
        use,
        expiresWallMs,
        reloads,
        failures,
      })),
    };
  }
}

/** Of several threads. Each watches the same files; the first speaks for all. */
export function sumReadings(readings: readonly TlsReading[]): TlsReading {
  const sum = (pick: (reading: TlsReading) => Readonly<Record<string, number>>): Record<string, number> => {
    const total: Record<string, number> = {};
    for (const reading of readings) {
      for (const [name, value] of Object.entries(pick(reading))) total[name] = (total[name] ?? 0) + value;
    }
    return total;
  };
  return {
    downstream: sum(({ downstream }) => downstream),
    upstream: sum(({ upstream }) => upstream),
    proxyHeaders: sum(({ proxyHeaders }) => proxyHeaders),
    certificates: readings[0]?.certificates ?? [],
  };
}

export function count<Name>(counts: Map<Name, number>, name: Name): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

function zeros<const Name extends string>(names: readonly Name[]): Map<Name, number> {
  return new Map(names.map((name) => [name, 0]));
}
