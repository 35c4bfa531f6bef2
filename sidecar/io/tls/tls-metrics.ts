/** TLS and PROXY headers as Prometheus series, read at the scrape. */
import { Counter, Gauge, type Registry } from 'prom-client';
import type { TlsReading } from './tls-stats.ts';

export function defineTlsMetrics(registry: Registry, read: () => TlsReading | null): void {
  const registers = [registry];
  new Counter({
    name: 'weir_tls_handshakes_total',
    help: 'TLS handshakes by how they ended; full and resumed went well.',
    labelNames: ['side', 'result'],
    registers,
    collect() {
      this.reset();
      const reading = read();
      if (reading === null) return;
      for (const side of ['downstream', 'upstream'] as const) {
        for (const [result, value] of Object.entries(reading[side])) this.inc({ side, result }, value);
      }
    },
  });
  new Counter({
    name: 'weir_proxy_protocol_headers_total',
    help: 'PROXY v2 headers by what they were; malformed and timeout closed the connection.',
    labelNames: ['result'],
    registers,
    collect() {
      this.reset();
      for (const [result, value] of Object.entries(read()?.proxyHeaders ?? {})) this.inc({ result }, value);
    },
  });
  new Gauge({
    name: 'weir_tls_certificate_expiry_timestamp_seconds',
    help: 'When the certificate in force expires, in Unix time.',
    labelNames: ['use'],
    registers,
    collect() {
      this.reset();
      for (const { use, expiresWallMs } of read()?.certificates ?? []) {
        if (expiresWallMs !== undefined) this.set({ use }, expiresWallMs / 1000);
      }
    },
  });
  new Counter({
    name: 'weir_tls_certificate_reloads_total',
    help: 'Changed certificate files: taken, or refused because they cannot be used.',
    labelNames: ['use', 'result'],
    registers,
    collect() {
      this.reset();
      for (const { use, reloads, failures } of read()?.certificates ?? []) {
        this.inc({ use, result: 'taken' }, reloads);
        this.inc({ use, result: 'refused' }, failures);
      }
    },
  });
}
