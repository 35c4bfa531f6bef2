/**
 * A NATS operator with one account, made at test time as `nsc` would: the server trusts the operator, the account has a
 * scoped signing key whose template confines the sidecars, and users get credentials files.
 */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { nkeys } from 'nats';
import { asJwtPermissions, sidecarPermissions, templateScope } from '../../proto/nats-permissions.ts';

type KeyPair = ReturnType<typeof nkeys.createUser>;

const unlimited = { subs: -1, data: -1, payload: -1 };

export class NatsOperator {
  private readonly operator = nkeys.createOperator();
  private readonly account = nkeys.createAccount();
  private readonly system = nkeys.createAccount();
  private readonly signing = nkeys.createAccount();

  /** Lines of the server's configuration: whom it trusts, and the account. */
  serverConfig(): string {
    const operator = this.claims(this.operator, this.operator, 'weir', { type: 'operator' });
    const template = asJwtPermissions(sidecarPermissions(templateScope));
    const scope = { kind: 'user_scope', key: this.signing.getPublicKey(), role: 'sidecar' };
    const account = this.claims(this.operator, this.account, 'mesh', {
      type: 'account',
      limits: {
        ...unlimited,
        conn: -1,
        leaf: -1,
        imports: -1,
        exports: -1,
        wildcards: true,
        mem_storage: -1,
        disk_storage: -1,
        streams: -1,
        consumer: -1,
      },
      signing_keys: [{ ...scope, template: { ...template, ...unlimited } }],
    });
    const system = this.claims(this.operator, this.system, 'system', {
      type: 'account',
      limits: { ...unlimited, conn: -1, leaf: -1, imports: -1, exports: -1, wildcards: true },
    });
    return [
      `operator: ${operator}`,
      `system_account: ${this.system.getPublicKey()}`,
      'resolver: MEMORY',
      `resolver_preload: { ${this.account.getPublicKey()}: ${account}, ${this.system.getPublicKey()}: ${system} }`,
    ].join('\n');
  }

  /** Writes the credentials of one who may do everything in the account, and answers where. */
  writeOwner(folder: string, name: string): string {
    const user = nkeys.createUser();
    return writeCreds(folder, name, this.claims(this.account, user, name, { type: 'user', ...unlimited }), user);
  }

  /** The same of a sidecar, confined by the template. */
  writeSidecar(folder: string, instance: string, tags: readonly string[]): string {
    const user = nkeys.createUser();
    const claims = { type: 'user', issuer_account: this.account.getPublicKey(), tags };
    return writeCreds(folder, instance, this.claims(this.signing, user, instance, claims), user);
  }

  private claims(issuer: KeyPair, subject: KeyPair, name: string, nats: object): string {
    const body = {
      iat: Math.floor(Date.now() / 1000),
      iss: issuer.getPublicKey(),
      name,
      sub: subject.getPublicKey(),
      nats: { ...nats, version: 2 },
    };
    const jti = createHash('sha256').update(JSON.stringify(body)).digest('hex');
    const signed = [
      { typ: 'JWT', alg: 'ed25519-nkey' },
      { ...body, jti },
    ]
      .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
      .join('.');
    return `${signed}.${Buffer.from(issuer.sign(Buffer.from(signed))).toString('base64url')}`;
  }
}

function writeCreds(folder: string, name: string, jwt: string, user: KeyPair): string {
  const file = join(folder, `${name}.creds`);
  const seed = Buffer.from(user.getSeed()).toString();
  writeFileSync(
    file,
    `-----BEGIN NATS USER JWT-----\n${jwt}\n------END NATS USER JWT------\n\n` +
      `-----BEGIN USER NKEY SEED-----\n${seed}\n------END USER NKEY SEED------\n`,
    { mode: 0o600 },
  );
  return file;
}
