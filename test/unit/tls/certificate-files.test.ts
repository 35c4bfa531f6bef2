/** What is wrong with certificate files, said in terms of the settings; every case that an operator meets. */
import { generateKeyPairSync } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { type CertificateFiles, readCertificates } from '../../../sidecar/io/tls/certificate-files.ts';
import { Authority, writePair, writePem } from '../../support/certificates.ts';
import { tempDir } from '../../support/temp-dir.ts';

const folder = tempDir('certificates');
afterAll(() => folder.remove());

const authority = new Authority('mesh');
const good = writePair(folder.path, 'good', authority.issue({ dns: ['a'], notAfter: new Date(1_900_000_000_000) }));
const other = writePair(folder.path, 'other', authority.issue({ dns: ['b'] }));
const text = (name: string, content: string): string => writePem(folder.path, name, content);

function files(cert: string, key: string, ca: string | null = null): CertificateFiles {
  return {
    cert: { setting: '--cert', path: cert },
    key: { setting: '--key', path: key },
    ca: ca === null ? null : { setting: '--ca', path: ca },
  };
}

test('a pair and a bundle of authorities are read, text around the certificates is not theirs', async () => {
  const bundle = text('bundle.pem', `# one\n${authority.cert}\n# two\n${new Authority('second').cert}`);
  const read = await readCertificates(files(good.cert, good.key, bundle));
  expect(read.ca).toHaveLength(2);
  expect(read.expiresWallMs).toBe(1_900_000_000_000);
});

const locked = generateKeyPairSync('ec', {
  namedCurve: 'P-256',
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'secret' },
}).privateKey;
const absent = join(folder.path, 'absent');
const noise = text('noise.pem', 'hello');
const torn = text('torn.pem', '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n');
const lockedFile = text('locked.key', locked);
const huge = text('huge.pem', ' '.repeat((1 << 20) + 1));

test.each([
  [files(absent, good.key), `--cert ENOENT: no such file or directory, open '${absent}'`],
  [files(noise, good.key), `--cert ${noise}: holds no certificate in PEM form`],
  [files(torn, good.key), `--cert ${torn}: certificate 1 of 1 cannot be read`],
  [files(huge, good.key), `--cert ${huge}: has 1048577 bytes, more than 1048576`],
  [files(good.cert, noise), `--key ${noise}: holds no private key in PEM form`],
  [files(good.cert, lockedFile), `--key ${lockedFile}: is locked by a passphrase`],
  [files(good.cert, other.key), `--key ${other.key}: is not the key of the certificate in ${good.cert}`],
  [files(good.cert, good.key, noise), `--ca ${noise}: holds no certificate in PEM form`],
])('case %#', async (input, message) => {
  await expect(readCertificates(input)).rejects.toThrow(message);
});
