/**
 * What both sides of the proxy ask of TLS. Only suites that HTTP/2 allows (RFC 9113 §9.2.2): forward secrecy and AEAD,
 * AES-128 first because it costs a fifth less than AES-256 and nobody breaks either.
 */
import { constants } from 'node:crypto';

export const tlsDefaults = {
  minVersion: 'TLSv1.2',
  ciphers: [
    'TLS_AES_128_GCM_SHA256',
    'TLS_AES_256_GCM_SHA384',
    'TLS_CHACHA20_POLY1305_SHA256',
    'ECDHE-ECDSA-AES128-GCM-SHA256',
    'ECDHE-RSA-AES128-GCM-SHA256',
    'ECDHE-ECDSA-AES256-GCM-SHA384',
    'ECDHE-RSA-AES256-GCM-SHA384',
    'ECDHE-ECDSA-CHACHA20-POLY1305',
    'ECDHE-RSA-CHACHA20-POLY1305',
  ].join(':'),
  // HTTP/2 forbids renegotiation (RFC 9113 §9.2.1), and it was only ever an attack.
  secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
} as const;

/** TCP, PROXY header and sniffing aside, a handshake is two round trips; who needs longer holds memory for nothing. */
export const handshakeTimeoutMs = 10_000;

/** What OpenSSL 3.0 and 3.5 say when the first bytes are no TLS record. */
export const plainTextCodes: ReadonlySet<string> = new Set([
  'ERR_SSL_HTTP_REQUEST',
  'ERR_SSL_HTTPS_PROXY_REQUEST',
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'ERR_SSL_PACKET_LENGTH_TOO_LONG',
]);
