/**
 * Reads a certificate, its key and the certificates that the other side is judged by, and says what is wrong with them
 * in terms of the settings that named the files. Everything is checked here, because node takes a CA file without any
 * certificate in it for "trust the well-known authorities".
 */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';

/** A bundle of all public authorities is 230 KB. */
const fileBytesMax = 1 << 20;

export interface NamedFile {
  /** The setting, as an operator writes it: `--tls-cert-file`. */
  readonly setting: string;
  readonly path: string;
}

export interface CertificateFiles {
  readonly cert: NamedFile | null;
  readonly key: NamedFile | null;
  readonly ca: NamedFile | null;
}

export interface Certificates {
  /** PEM: our certificate, and those that lead to the authority. */
  readonly cert: string | undefined;
  readonly key: string | undefined;
  /** PEM, one by one; undefined = the well-known authorities. */
  readonly ca: readonly string[] | undefined;
  /** End of our certificate's validity; undefined without one. */
  readonly expiresWallMs: number | undefined;
}

/** What is wrong, ready to be shown; never holds anything of the key. */
export class CertificateError extends Error {}

export async function readCertificates(files: CertificateFiles): Promise<Certificates> {
  const cert = files.cert === null ? undefined : await read(files.cert);
  const key = files.key === null ? undefined : await read(files.key);
  const ca = files.ca === null ? undefined : certificatesIn(files.ca, await read(files.ca)).map(String);
  if (files.cert === null || cert === undefined || files.key === null || key === undefined) {
    return { cert: undefined, key: undefined, ca, expiresWallMs: undefined };
  }
  const leaf = certificatesIn(files.cert, cert)[0]!;
  if (!leaf.checkPrivateKey(privateKeyIn(files.key, key))) {
    throw wrong(files.key, `is not the key of the certificate in ${files.cert.path}`);
  }
  return { cert, key, ca, expiresWallMs: Date.parse(leaf.validTo) };
}

async function read(file: NamedFile): Promise<string> {
  let bytes: Buffer;
  try {
    bytes = await readFile(file.path);
  } catch (error) {
    throw new CertificateError(`${file.setting} ${error instanceof Error ? error.message : String(error)}`);
  }
  if (bytes.length > fileBytesMax) throw wrong(file, `has ${bytes.length} bytes, more than ${fileBytesMax}`);
  return bytes.toString('latin1');
}

function certificatesIn(file: NamedFile, text: string): X509Certificate[] {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) throw wrong(file, 'holds no certificate in PEM form');
  return blocks.map((block, index) => {
    try {
      return new X509Certificate(block);
    } catch {
      throw wrong(file, `certificate ${index + 1} of ${blocks.length} cannot be read`);
    }
  });
}

function privateKeyIn(file: NamedFile, text: string): KeyObject {
  try {
    return createPrivateKey(text);
  } catch {
    const isLocked = text.includes('ENCRYPTED');
    throw wrong(file, isLocked ? 'is locked by a passphrase' : 'holds no private key in PEM form');
  }
}

function wrong(file: NamedFile, what: string): CertificateError {
  return new CertificateError(`${file.setting} ${file.path}: ${what}`);
}
