/**
 * Certificates in force, renewed when their files change. The files are looked at in intervals instead of watched: a
 * rotation in Kubernetes swaps a symlink two folders up, which the kernel's watches on the files never tell.
 *
 *     watch ──stat──▶ changed? ──read, check, build──▶ good: in force for new handshakes, connections stay
 *                                                  └─▶ bad:  the old ones stay, one line in the log
 */
import { stat } from 'node:fs/promises';
import type { Log } from '../../../proto/kernel/log-format.ts';
import { CertificateError, type CertificateFiles, type Certificates, readCertificates } from './certificate-files.ts';

export interface CertificateUse {
  /** Which certificates these are, for the log and as a metric's label: `inbound`, `upstream`, `app`. */
  readonly name: string;
  readonly files: CertificateFiles;
  /** Puts new ones in force; throws when TLS will not have them, and then nothing has changed. */
  readonly apply: (certificates: Certificates) => void;
}

export class CertificateWatch {
  readonly use: string;
  /** End of validity of the certificate in force; undefined when the use needs none of our own. */
  expiresWallMs: number | undefined;
  reloads = 0;
  /** Broken sets that were seen and not put in force. */
  failures = 0;
  private readonly source: CertificateUse;
  private readonly log: Log;
  private readonly intervalMs: number;
  private timer: NodeJS.Timeout | null = null;
  private isClosed = false;
  /** The files as they were when last read. */
  private seen = '';
  private broken: string | null = null;

  private constructor(use: CertificateUse, intervalMs: number, log: Log) {
    this.use = use.name;
    this.source = use;
    this.intervalMs = intervalMs;
    this.log = log;
  }

  /** Reads them for the first time; rejects with a CertificateError when they cannot be used. */
  static async start(use: CertificateUse, intervalMs: number, log: Log): Promise<CertificateWatch> {
    const watch = new CertificateWatch(use, intervalMs, log);
    watch.seen = await signature(use.files);
    await watch.load();
    if ((watch.expiresWallMs ?? Number.POSITIVE_INFINITY) <= Date.now()) {
      log.warn('certificate has expired', { use: use.name, expires: isoTime(watch.expiresWallMs) });
    }
    watch.schedule();
    return watch;
  }

  close(): void {
    this.isClosed = true;
    if (this.timer !== null) clearTimeout(this.timer);
  }

  private schedule(): void {
    if (this.isClosed) return;
    this.timer = setTimeout(() => void this.look().then(() => this.schedule()), this.intervalMs);
    this.timer.unref();
  }

  private async look(): Promise<void> {
    const now = await signature(this.source.files);
    if (now === this.seen) return;
    try {
      await this.load();
      this.seen = now;
      this.broken = null;
      this.reloads++;
      this.log.info('certificate reloaded', { use: this.use, expires: isoTime(this.expiresWallMs) });
    } catch (error) {
      if (!(error instanceof CertificateError)) throw error;
      if (this.broken !== now) {
        // Perhaps one file is written and the other not yet: judge when the next look finds nothing changed.
        this.broken = now;
        return;
      }
      this.seen = now;
      this.failures++;
      const expires = isoTime(this.expiresWallMs);
      this.log.error('certificate not reloaded, the old one stays', { use: this.use, error: error.message, expires });
    }
  }

  private async load(): Promise<void> {
    const certificates = await readCertificates(this.source.files);
    try {
      this.source.apply(certificates);
    } catch (error) {
      throw new CertificateError(`${this.use} certificate: ${error instanceof Error ? error.message : String(error)}`);
    }
    this.expiresWallMs = certificates.expiresWallMs;
  }
}

async function signature({ cert, key, ca }: CertificateFiles): Promise<string> {
  const parts = await Promise.all(
    [cert, key, ca].map(async (file) => {
      if (file === null) return '';
      try {
        const { dev, ino, size, mtimeMs, ctimeMs } = await stat(file.path);
        return `${dev} ${ino} ${size} ${mtimeMs} ${ctimeMs}`;
      } catch {
        return 'absent';
      }
    }),
  );
  return parts.join('|');
}

function isoTime(wallMs: number | undefined): string | undefined {
  return wallMs === undefined ? undefined : new Date(wallMs).toISOString();
}
