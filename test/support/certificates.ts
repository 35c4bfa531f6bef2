/**
 * Certificates made at test time: a small DER writer and node's own keys, so that no test needs openssl and no key lies
 * in the repository. EC P-256, because its keys are made in a millisecond.
 */
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface CertificateNames {
  readonly dns?: readonly string[];
  readonly uris?: readonly string[];
  readonly ips?: readonly string[];
  /** Default: in a day. */
  readonly notAfter?: Date;
}

export interface Pair {
  /** PEM: the certificate. */
  readonly cert: string;
  /** PEM: its private key. */
  readonly key: string;
}

export class Authority {
  /** PEM: what those who trust this authority are given. */
  readonly cert: string;
  private readonly name: string;
  private readonly key: KeyObject;
  private readonly keyId: Buffer;

  constructor(name: string) {
    const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.name = name;
    this.key = keys.privateKey;
    this.keyId = keyIdOf(keys.publicKey);
    const isAuthority = extension('2.5.29.19', true, sequence(boolean(true)));
    const mayIssue = extension('2.5.29.15', true, bits(0x06, 1));
    this.cert = this.sign(name, keys.publicKey, [isAuthority, mayIssue], inDays(2));
  }

  issue(names: CertificateNames): Pair {
    const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const alternatives = [
      ...(names.dns ?? []).map((dns) => tagged(0x82, Buffer.from(dns))),
      ...(names.uris ?? []).map((uri) => tagged(0x86, Buffer.from(uri))),
      ...(names.ips ?? []).map((ip) => tagged(0x87, Buffer.from(ip.split('.').map(Number)))),
    ];
    const extensions = alternatives.length === 0 ? [] : [extension('2.5.29.17', false, sequence(...alternatives))];
    const issuedBy = extension('2.5.29.35', false, sequence(tagged(0x80, this.keyId)));
    const cert = this.sign('leaf', keys.publicKey, [...extensions, issuedBy], names.notAfter ?? inDays(1));
    return { cert, key: keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() };
  }

  private sign(subject: string, publicKey: KeyObject, extensions: readonly Buffer[], notAfter: Date): string {
    const signedWith = sequence(objectId('1.2.840.10045.4.3.2'));
    const content = sequence(
      tagged(0xa0, integer(Buffer.from([2]))),
      integer(randomBytes(8)),
      signedWith,
      commonName(this.name),
      sequence(time(inDays(-1)), time(notAfter)),
      commonName(subject),
      publicKey.export({ type: 'spki', format: 'der' }),
      tagged(0xa3, sequence(extension('2.5.29.14', false, tagged(0x04, keyIdOf(publicKey))), ...extensions)),
    );
    const signature = sign('sha256', content, this.key);
    const certificate = sequence(content, signedWith, tagged(0x03, Buffer.from([0]), signature));
    const lines = certificate.toString('base64').match(/.{1,64}/g) ?? [];
    return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
  }
}

export interface PairFiles {
  readonly cert: string;
  readonly key: string;
}

/** Writes `<name>.crt` and `<name>.key` into the folder and answers their paths. */
export function writePair(folder: string, name: string, pair: Pair): PairFiles {
  return { cert: writePem(folder, `${name}.crt`, pair.cert), key: writePem(folder, `${name}.key`, pair.key) };
}

export function writePem(folder: string, name: string, pem: string): string {
  const path = join(folder, name);
  writeFileSync(path, pem);
  return path;
}

function inDays(days: number): Date {
  return new Date(Date.now() + days * 86_400_000);
}

function keyIdOf(publicKey: KeyObject): Buffer {
  return createHash('sha1')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest();
}

// ── DER: a tag, a length, content ─────────────────────────────────────────────────────────────────────────────────

function tagged(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  if (length < 0x80) return Buffer.concat([Buffer.from([tag, length]), content]);
  const bytes = length < 0x100 ? [length] : [length >> 8, length & 255];
  return Buffer.concat([Buffer.from([tag, 0x80 | bytes.length, ...bytes]), content]);
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return tagged(0x30, ...parts);
}

function boolean(value: boolean): Buffer {
  return tagged(0x01, Buffer.from([value ? 0xff : 0]));
}

/** Positive, in as few bytes as DER demands. */
function integer(bytes: Buffer): Buffer {
  const head = bytes[0]! & 0x7f || 1;
  return tagged(0x02, Buffer.concat([Buffer.from([head]), bytes.subarray(1)]));
}

function bits(byte: number, unused: number): Buffer {
  return tagged(0x03, Buffer.from([unused, byte]));
}

function objectId(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number);
  const bytes = [first * 40 + second];
  for (const part of rest) {
    const septets = [part & 127];
    for (let left = part >> 7; left > 0; left >>= 7) septets.unshift(0x80 | (left & 127));
    bytes.push(...septets);
  }
  return tagged(0x06, Buffer.from(bytes));
}

function extension(id: string, isCritical: boolean, value: Buffer): Buffer {
  return sequence(objectId(id), ...(isCritical ? [boolean(true)] : []), tagged(0x04, value));
}

function commonName(name: string): Buffer {
  return sequence(tagged(0x31, sequence(objectId('2.5.4.3'), tagged(0x0c, Buffer.from(name)))));
}

function time(date: Date): Buffer {
  const digits = date.toISOString().replace(/[-:T]|\.[0-9]+/g, '');
  return tagged(0x18, Buffer.from(digits));
}
