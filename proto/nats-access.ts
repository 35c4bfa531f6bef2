/**
 * How both programs reach NATS: one definition of the settings, one check, one way from settings to what the client
 * wants. Secrets come from files or the environment, never from the command line, which every user of the machine can
 * read. Files are read again at every connect, so that a rotated secret needs no restart.
 *
 * Pure: reading a file and the client's own authenticators are handed in.
 */
import { defineOptions, isLoopbackHost, type OptionValues } from './kernel/options.ts';

export const natsAccessOptions = defineOptions({
  natsTokenFile: {
    kind: 'string',
    placeholder: '<file>',
    description: 'File with the token for NATS (or WEIR_NATS_TOKEN).',
  },
  natsUser: { kind: 'string', placeholder: '<name>', description: 'User at NATS; needs --nats-password-file.' },
  natsPasswordFile: {
    kind: 'string',
    placeholder: '<file>',
    description: 'File with the password of --nats-user (or WEIR_NATS_PASSWORD).',
  },
  natsNkeyFile: { kind: 'string', placeholder: '<file>', description: 'File with the nkey seed (SU…) for NATS.' },
  natsCredsFile: {
    kind: 'string',
    placeholder: '<file>',
    description: 'Credentials file (JWT and nkey seed) for NATS, as nsc writes it.',
  },
  natsCaFile: {
    kind: 'string',
    placeholder: '<file>',
    description: "Authorities (PEM) of the NATS servers' certificates; demands TLS, as tls:// in --nats does.",
  },
  natsCertFile: { kind: 'string', placeholder: '<file>', description: 'Certificate (PEM) to show to NATS.' },
  natsKeyFile: { kind: 'string', placeholder: '<file>', description: 'Private key (PEM) of --nats-cert-file.' },
});

export type NatsAccessSettings = OptionValues<typeof natsAccessOptions>;

/** A secret: its text, or the file that has it. */
export type SecretSource = { readonly file: string } | { readonly text: string };

export type NatsCredential =
  | { readonly kind: 'none' }
  | { readonly kind: 'token'; readonly secret: SecretSource }
  | { readonly kind: 'user'; readonly user: string; readonly secret: SecretSource }
  | { readonly kind: 'nkey'; readonly secret: SecretSource }
  | { readonly kind: 'creds'; readonly secret: SecretSource };

export interface NatsTls {
  readonly caFile?: string;
  readonly certFile?: string;
  readonly keyFile?: string;
}

export interface NatsAccess {
  /** `host:port`. */
  readonly servers: readonly string[];
  /** Undefined: as the server wants. */
  readonly tls: NatsTls | undefined;
  readonly credential: NatsCredential;
}

/** What the environment holds; undefined or empty = nothing. */
export interface NatsSecrets {
  readonly natsToken?: string | undefined;
  readonly natsPassword?: string | undefined;
}

export type NatsAccessCheck =
  | { readonly ok: true; readonly access: NatsAccess }
  | { readonly ok: false; readonly errors: readonly string[] };

/** `nats` is the value of `--nats`: one address, or several of one cluster. */
export function checkNatsAccess(nats: string, settings: NatsAccessSettings, secrets: NatsSecrets): NatsAccessCheck {
  const errors: string[] = [];
  const credentials = credentialsOf(settings, secrets, errors);
  if (credentials.length > 1) {
    errors.push(`NATS takes one credential, not ${credentials.map(({ kind }) => kind).join(' and ')}`);
  }
  const { natsCaFile: caFile, natsCertFile: certFile, natsKeyFile: keyFile } = settings;
  if ((certFile === undefined) !== (keyFile === undefined)) {
    errors.push('--nats-cert-file and --nats-key-file need each other');
  }
  const credential = credentials[0] ?? { kind: 'none' };
  const servers: string[] = [];
  let wantsTls = caFile !== undefined || certFile !== undefined;
  for (const text of nats.split(',')) {
    const address = parseNatsAddress(text.trim());
    if (!address) {
      errors.push(`--nats: ${JSON.stringify(hideCredentials(text))} is not nats://host:port or tls://host:port`);
      continue;
    }
    if (address.hasCredentials) {
      errors.push(
        `--nats ${hideCredentials(text)}: credentials come from files, not from an address that all can read`,
      );
    }
    servers.push(`${address.host}:${address.port}`);
    if (address.isTls) wantsTls = true;
    if (credential.kind === 'none' && certFile === undefined && !isLoopbackHost(address.host.replace(/^\[|\]$/g, ''))) {
      errors.push(
        `--nats ${address.host}:${address.port} is beyond loopback: that needs --nats-token-file, --nats-user, ` +
          '--nats-nkey-file, --nats-creds-file or --nats-cert-file',
      );
    }
  }
  if (errors.length > 0) return { ok: false, errors };
  const files = {
    ...(caFile === undefined ? {} : { caFile }),
    ...(certFile === undefined ? {} : { certFile }),
    ...(keyFile === undefined ? {} : { keyFile }),
  };
  return { ok: true, access: { servers, tls: wantsTls ? files : undefined, credential } };
}

/** What is wrong with the files now; they are read again later. */
export function natsFileErrors(access: NatsAccess, read: (file: string) => string): string[] {
  const { credential, tls } = access;
  const secret = credential.kind === 'none' ? undefined : credential.secret;
  const files = [secret && 'file' in secret ? secret.file : undefined, tls?.caFile, tls?.certFile, tls?.keyFile];
  return files.flatMap((file) => {
    if (file === undefined) return [];
    try {
      const text = read(file).trim();
      if (text === '') return [`${file} is empty`];
      const isSecret = secret && 'file' in secret && secret.file === file;
      if (isSecret && credential.kind === 'nkey' && !/^SU[A-Z2-7]{56}$/.test(text))
        return [`${file}: no user's nkey seed`];
      if (isSecret && credential.kind === 'creds' && !text.includes('BEGIN NATS USER JWT'))
        return [`${file}: no NATS credentials`];
      return [];
    } catch (error) {
      return [`${file}: ${error instanceof Error ? error.message : String(error)}`];
    }
  });
}

/** Those of the `nats` client. */
export interface NatsAuthenticators<Auth> {
  tokenAuthenticator(token: string): (nonce?: string) => Auth;
  usernamePasswordAuthenticator(user: string, password?: string): (nonce?: string) => Auth;
  nkeyAuthenticator(seed: Uint8Array): (nonce?: string) => Auth;
  credsAuthenticator(creds: Uint8Array): (nonce?: string) => Auth;
}

/** Called by the client at every connect; undefined when there is no credential. */
export function natsAuthenticator<Auth>(
  credential: NatsCredential,
  nats: NatsAuthenticators<Auth>,
  read: (file: string) => string,
): ((nonce?: string) => Auth) | undefined {
  if (credential.kind === 'none') return undefined;
  const { secret } = credential;
  let last = '';
  const text = (): string => {
    if ('text' in secret) return secret.text;
    try {
      last = read(secret.file).trim();
    } catch (error) {
      // In the middle of a rotation; the old one may still do.
      if (last === '') throw error;
    }
    return last;
  };
  switch (credential.kind) {
    case 'token':
      return (nonce) => nats.tokenAuthenticator(text())(nonce);
    case 'user':
      return (nonce) => nats.usernamePasswordAuthenticator(credential.user, text())(nonce);
    case 'nkey':
      return (nonce) => nats.nkeyAuthenticator(new TextEncoder().encode(text()))(nonce);
    case 'creds':
      // The client wants the last marker's line to be ended.
      return (nonce) => nats.credsAuthenticator(new TextEncoder().encode(`${text()}\n`))(nonce);
  }
}

/** A URL as it may be shown: without user and password. */
export function hideCredentials(url: string): string {
  return url.replace(/\/\/[^@/]*@/, '//***@');
}

function credentialsOf(settings: NatsAccessSettings, secrets: NatsSecrets, errors: string[]): NatsCredential[] {
  const { natsTokenFile, natsUser, natsPasswordFile, natsNkeyFile, natsCredsFile } = settings;
  const token = sourceOf(natsTokenFile, secrets.natsToken);
  const password = sourceOf(natsPasswordFile, secrets.natsPassword);
  if ((natsUser === undefined) !== (password === undefined)) {
    errors.push('--nats-user and --nats-password-file (or WEIR_NATS_PASSWORD) need each other');
  }
  const found: NatsCredential[] = [];
  if (token) found.push({ kind: 'token', secret: token });
  if (natsUser !== undefined && password) found.push({ kind: 'user', user: natsUser, secret: password });
  if (natsNkeyFile !== undefined) found.push({ kind: 'nkey', secret: { file: natsNkeyFile } });
  if (natsCredsFile !== undefined) found.push({ kind: 'creds', secret: { file: natsCredsFile } });
  return found;
}

function sourceOf(file: string | undefined, text: string | undefined): SecretSource | undefined {
  if (file !== undefined) return { file };
  return text ? { text } : undefined;
}

interface NatsAddress {
  /** IPv6 in brackets. */
  readonly host: string;
  readonly port: string;
  readonly isTls: boolean;
  readonly hasCredentials: boolean;
}

function parseNatsAddress(text: string): NatsAddress | undefined {
  const match = /^(?:(nats|tls):\/\/)?([^@/\s]*@)?(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?\/?$/.exec(text);
  if (!match) return undefined;
  const [, scheme, credentials, host = '', port = '4222'] = match;
  return { host, port, isTls: scheme === 'tls', hasCredentials: credentials !== undefined };
}
