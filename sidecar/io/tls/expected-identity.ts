/**
 * Whom the other side must prove to be, and whether its certificate does. For services that is a matter of templates
 * (routing/identity-template.ts), for the app of the name that the settings give.
 */
import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { anyIdentity, fillIdentity, identityTemplateDefault, isUri } from '../../routing/identity-template.ts';
import { alternativeNames } from './tls-identity.ts';

export interface ExpectedIdentity {
  /** What is asked for in the handshake (SNI); '' = nothing. */
  readonly serverName: string;
  /** Undefined when the certificate (DER) proves one of the names; else what is wrong. */
  readonly problem: (certificate: Buffer) => string | undefined;
}

/** Of the endpoints of `<namespace>/<service>`. */
export function serviceIdentity(service: string, templates: readonly string[]): ExpectedIdentity {
  const names = templates.map((template) => fillIdentity(template, service));
  return {
    serverName:
      names.find((name) => name !== anyIdentity && !isUri(name)) ?? fillIdentity(identityTemplateDefault, service),
    problem: (certificate) => (names.includes(anyIdentity) ? undefined : problemWith(certificate, names)),
  };
}

/** Of the app: a DNS name or an IP address. */
export function appIdentity(name: string): ExpectedIdentity {
  return {
    // RFC 6066 §3 has no place for addresses.
    serverName: isIP(name) === 0 ? name : '',
    problem: (certificate) => problemWith(certificate, [name]),
  };
}

function problemWith(certificate: Buffer, names: readonly string[]): string | undefined {
  const parsed = new X509Certificate(certificate);
  const uris = alternativeNames(parsed.subjectAltName ?? '').filter(({ kind }) => kind === 'URI');
  const isProven = names.some((name) => {
    if (isUri(name)) return uris.some(({ value }) => value === name);
    if (isIP(name) !== 0) return parsed.checkIP(name) !== undefined;
    return parsed.checkHost(name, { subject: 'never', partialWildcards: false }) !== undefined;
  });
  if (isProven) return undefined;
  return `the certificate is for "${parsed.subjectAltName ?? 'nobody'}", not for ${names.join(' or ')}`;
}
