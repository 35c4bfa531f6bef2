/** One certificate for all proxies of a run, made when a case speaks TLS and gone with the run. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findTool } from './tools.ts';

export interface Certificate {
  readonly certificateFile: string;
  readonly keyFile: string;
  /** Both in one file, as haproxy wants them. */
  readonly bothFile: string;
}

const opensslDeadlineMs = 10_000;

/** P-256, as most meshes issue them: signing with RSA would be what a handshake costs, and no proxy's merit. */
export function makeCertificate(folder: string): Certificate {
  const openssl = findTool('openssl');
  if (openssl === null) throw new Error('openssl is needed to make a certificate (Debian: apt-get install openssl)');
  const [certificateFile, keyFile, bothFile] = [
    join(folder, 'bench.crt'),
    join(folder, 'bench.key'),
    join(folder, 'bench.pem'),
  ];
  const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  const subject = ['-subj', '/CN=origin.bench', '-addext', 'subjectAltName=DNS:origin.bench,IP:127.0.0.1'];
  execFileSync(openssl, [...request, ...subject, '-keyout', keyFile, '-out', certificateFile], {
    stdio: 'pipe',
    timeout: opensslDeadlineMs,
  });
  const both = readFileSync(certificateFile, 'utf8') + readFileSync(keyFile, 'utf8');
  writeFileSync(bothFile, both, { mode: 0o600 });
  return { certificateFile, keyFile, bothFile };
}
