/**
 * Credentials at a real nats-server: every kind lets both programs in, and what a sidecar's lets it do ends at its own
 * name and at the services that it calls.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect, credsAuthenticator, Events, type NatsConnection, nkeyAuthenticator, nkeys } from 'nats';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { decodeHeartbeat, encodeHeartbeat } from '../../proto/fleet.ts';
import type { NatsAccess } from '../../proto/nats-access.ts';
import { asServerConfig, controlPlanePermissions, sidecarPermissions } from '../../proto/nats-permissions.ts';
import { parseServiceKey, type ServiceName, shardOf } from '../../proto/subjects.ts';
import { type ControlLink, startControlLink } from '../../sidecar/io/control-link/control-link.ts';
import { Authority, writePair, writePem } from '../support/certificates.ts';
import { startTestControlPlane, type TestControlPlane } from '../support/control-plane.ts';
import { FakeMesh } from '../support/fake-mesh.ts';
import { NatsOperator } from '../support/nats-operator.ts';
import { startNatsServer, type TestNatsServer } from '../support/nats-server.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';

const targetKey = 'shop/payments';
const path = '/v1/namespaces/shop/policies';
const policy = (service: string) => ({
  apiVersion: 'weir.dev/v1alpha1',
  kind: 'TrafficPolicy',
  metadata: { name: service, namespace: 'shop' },
  spec: { target: { service }, outbound: { circuitBreaker: { consecutiveFailures: 5 } } },
});

let dir: string;
let nats: TestNatsServer | undefined;
let controlPlane: TestControlPlane | undefined;
let link: ControlLink | undefined;
let raw: NatsConnection | undefined;

beforeEach(() => {
  dir = tempDir('credentials').path;
});

afterEach(async () => {
  await raw?.close();
  await link?.close();
  await controlPlane?.close();
  await nats?.stop();
  raw = link = controlPlane = nats = undefined;
});

const secretFile = (name: string, text: string): string => {
  const file = join(dir, name);
  writeFileSync(file, text, { mode: 0o600 });
  return file;
};

const service = (key: string): ServiceName => parseServiceKey(key) ?? { namespace: '', service: '' };

/** A control plane with these settings keeps a policy, and a sidecar with these gets it and is seen. */
async function meet(url: string, argv: readonly string[], access: Partial<NatsAccess>): Promise<FakeMesh> {
  controlPlane = await startTestControlPlane(url, { argv });
  await controlPlane.isReady();
  for (const about of ['payments', 'billing']) await controlPlane.ask('POST', path, { body: policy(about) });
  const mesh = new FakeMesh('orders-0');
  mesh.useTarget(targetKey);
  link = startControlLink(mesh, { servers: [new URL(url).host], ...access });
  await until(() => mesh.applied.some(({ target }) => target === targetKey), { what: 'the sidecar has the policy' });
  const seen = async () => JSON.stringify((await controlPlane!.ask('GET', '/v1/instances')).body);
  await until(async () => (await seen()).includes('orders-0'), { what: 'the sidecar is seen' });
  return mesh;
}

/** What the server refuses to this connection, of these subjects. */
async function refused(connection: NatsConnection, publish: readonly string[], subscribe: readonly string[]) {
  const violations: string[] = [];
  void (async () => {
    for await (const status of connection.status()) {
      if (status.type === Events.Error && status.permissionContext) {
        violations.push(`${status.permissionContext.operation} ${status.permissionContext.subject}`);
      }
    }
  })();
  for (const subject of publish) connection.publish(subject, 'x');
  for (const subject of subscribe) connection.subscribe(subject, { callback: () => {} });
  await connection.flush();
  const wanted = [
    ...publish.map((subject) => `publish ${subject}`),
    ...subscribe.map((each) => `subscription ${each}`),
  ];
  await until(() => violations.length >= wanted.length, { what: `all are refused, not only ${violations.join(', ')}` });
  return { violations: violations.sort(), wanted: wanted.sort() };
}

/** Everything that is none of the business of shop/orders orders-0, which calls shop/payments. */
const foreign = {
  publish: [
    `weir.hb.${shardOf('shop/billing')}.shop.billing.billing-0`,
    'weir.hb.1.shop.orders.orders-1',
    'weir.ack.shop.orders.orders-1',
    `weir.rep.${shardOf(targetKey)}.shop.billing.billing-0`,
    'weir.slot.shop.payments.shop.orders.orders-1',
    'weir.brk.shop.payments',
    'weir.pol.svc.shop.payments',
    'weir.ep.shop.payments',
    'weir.grant.shop.orders.orders-0',
    'weir.cmd.shop.billing.billing-0',
    'weir.cp.cp-9',
    '$KV.weir_policy.svc.shop.payments',
    '$KV.weir_lease.leader.0',
    '$KV.weir_access.token.0123456789ab',
    '$JS.API.STREAM.MSG.GET.KV_weir_access',
    '$JS.API.DIRECT.GET.KV_weir_access.$KV.weir_access.token.0123456789ab',
    '$JS.API.DIRECT.GET.KV_weir_policy.$KV.weir_policy.ro.shop.payments',
    '$JS.API.DIRECT.GET.KV_weir_policy.$KV.weir_policy.svc.shop.billing',
    '$JS.API.DIRECT.GET.KV_weir_policy.$KV.weir_policy.doc.shop.payments',
    '$JS.API.DIRECT.GET.KV_weir_policy',
    '$JS.API.STREAM.MSG.GET.KV_weir_policy',
    '$JS.API.STREAM.DELETE.KV_weir_policy',
    '_INBOX.shop.billing.billing-0.1',
    'weir.retry.shop.billing',
    '$JS.API.CONSUMER.CREATE.WEIR_RETRY.retry_shop_orders.weir.retry.shop.billing',
    '$JS.API.CONSUMER.DURABLE.CREATE.WEIR_RETRY.retry_shop_orders',
    '$JS.API.CONSUMER.CREATE.WEIR_RETRY',
    '$JS.API.CONSUMER.MSG.NEXT.WEIR_RETRY.retry_shop_billing',
    'weir.dlq.shop.billing',
  ],
  subscribe: [
    '>',
    'weir.>',
    '_INBOX.>',
    '_INBOX.shop.orders.orders-1.>',
    '$KV.>',
    'weir.hb.>',
    'weir.pol.>',
    'weir.pol.svc.shop.billing',
    'weir.pol.doc.shop.payments',
    'weir.pol.ro.shop.payments',
    'weir.grant.shop.billing.billing-0',
    'weir.cmd.shop.orders.orders-1',
  ],
};

describe('credentials', () => {
  it('of users confine a sidecar to its own name and to what it calls', async () => {
    const sidecar = nkeys.createUser();
    const seed = Buffer.from(sidecar.getSeed()).toString();
    const scope = { service: service('shop/orders'), instance: 'orders-0', targets: [service(targetKey)] };
    nats = await startNatsServer({
      more: [
        'authorization { users: [',
        `{ user: "control-plane", password: "pass of the control plane", ${asServerConfig(controlPlanePermissions())} }`,
        `{ nkey: ${sidecar.getPublicKey()}, ${asServerConfig(sidecarPermissions(scope))} }`,
        '] }',
      ].join('\n'),
    });
    const password = secretFile('password', 'pass of the control plane\n');
    const mesh = await meet(nats.url, ['--nats-user', 'control-plane', '--nats-password-file', password], {
      credential: { kind: 'nkey', secret: { file: secretFile('seed', `${seed}\n`) } },
    });
    const complaints = [
      ...controlPlane!.logged,
      ...mesh.logged.map(({ message, ...rest }) => ({ msg: message, ...rest })),
    ];
    expect(complaints.filter(({ msg }) => /NATS error|refused|failed/.test(msg))).toEqual([]);
    const everything = JSON.stringify(complaints);
    for (const secret of ['pass of the control plane', seed]) expect(everything).not.toContain(secret);
    raw = await connect({ servers: nats.url, authenticator: nkeyAuthenticator(Buffer.from(seed)) });
    const { violations, wanted } = await refused(raw, foreign.publish, foreign.subscribe);
    expect(violations).toEqual(wanted);
  });

  it('by JWT do the same, with the template of one signing key for all sidecars', async () => {
    const operator = new NatsOperator();
    nats = await startNatsServer({ more: operator.serverConfig() });
    const file = operator.writeSidecar(dir, 'orders-0', [
      'ns:shop',
      'retry:retry_shop_orders',
      'svc:orders',
      'target-ns:shop',
      'target-svc:payments',
    ]);
    await meet(nats.url, ['--nats-creds-file', operator.writeOwner(dir, 'control-plane')], {
      credential: { kind: 'creds', secret: { file } },
    });
    await link!.close();
    raw = await connect({ servers: nats.url, authenticator: credsAuthenticator(readFileSync(file)) });
    const { violations, wanted } = await refused(raw, foreign.publish, foreign.subscribe);
    expect(violations).toEqual(wanted);
  });

  it('by certificate and token over TLS; nobody is let in with another authority, or without', async () => {
    const authority = new Authority('Weir test');
    const server = writePair(dir, 'server', authority.issue({ ips: ['127.0.0.1'], dns: ['localhost'] }));
    const client = writePair(dir, 'client', authority.issue({ dns: ['weir'] }));
    const ca = writePem(dir, 'ca.crt', authority.cert);
    nats = await startNatsServer({
      token: 'a token for all',
      more: `tls { cert_file: "${server.cert}", key_file: "${server.key}", ca_file: "${ca}", verify: true }`,
    });
    const token = secretFile('token', 'a token for all');
    const url = `tls://127.0.0.1:${nats.port}`;
    const tls = { caFile: ca, certFile: client.cert, keyFile: client.key };
    const argv = ['--nats-ca-file', ca, '--nats-cert-file', client.cert, '--nats-key-file', client.key];
    const credential = { kind: 'token', secret: { file: token } } as const;
    await meet(url, ['--nats-token-file', token, ...argv], { tls, credential });
    const stranger = writePem(dir, 'other.crt', new Authority('Another').cert);
    for (const wrong of [{ ...tls, caFile: stranger }, { caFile: ca }]) {
      await expect(connect({ servers: url, token: 'a token for all', tls: wrong, timeout: 2000 })).rejects.toThrow();
    }
  });

  it('do not let a sidecar be believed in another’s name, even where the server allows all', async () => {
    nats = await startNatsServer();
    await meet(nats.url, [], {});
    raw = await connect({ servers: nats.url });
    const forged = {
      namespace: 'shop',
      service: 'billing',
      instance: 'billing-0',
      incarnation: 'x',
      zone: '',
      version: '',
    };
    const bytes = encodeHeartbeat({ identity: forged, seq: 1, intervalMs: 1000 });
    expect(decodeHeartbeat(bytes)?.identity).toMatchObject(forged);
    raw.publish(`weir.hb.1.shop.orders.orders-0`, bytes);
    raw.publish(
      'weir.hb.1.shop.honest.honest-0',
      encodeHeartbeat({ identity: { ...forged, service: 'honest', instance: 'honest-0' }, seq: 1 }),
    );
    const instances = async () => JSON.stringify((await controlPlane!.ask('GET', '/v1/instances')).body);
    await until(async () => (await instances()).includes('honest-0'), { what: 'the honest one is seen' });
    expect(await instances()).not.toContain('billing-0');
  });
});
