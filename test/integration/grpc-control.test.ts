/** The control plane over gRPC: the same use cases, roles and refusals as over REST; health and reflection beside them. */
import { fileURLToPath } from 'node:url';
import { status } from '@grpc/grpc-js';
import { protoPath as healthProto } from 'grpc-health-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { watchersMax } from '../../control-plane/api/grpc-server.ts';
import { checkConfig, controlPlaneOptions } from '../../control-plane/config.ts';
import { protoFile } from '../../proto/fleet.ts';
import { parseOptions } from '../../proto/kernel/options.ts';
import { startTestControlPlane, type TestControlPlane } from '../support/control-plane.ts';
import { type GrpcAnswer, GrpcClient } from '../support/grpc-client.ts';
import { startNatsServer, type TestNatsServer } from '../support/nats-server.ts';
import { until } from '../support/until.ts';

const policy = (limit: number, name = 'payments') => ({
  apiVersion: 'weir.dev/v1alpha1',
  kind: 'TrafficPolicy',
  metadata: { name, namespace: 'shop' },
  spec: { target: { service: name }, inbound: { concurrency: { fixed: { limit } } } },
});
const at = { namespace: 'shop', name: 'payments' };
const token = 'a-token-of-the-test';
const bearer = { authorization: `Bearer ${token}` };

let nats: TestNatsServer;
let controlPlane: TestControlPlane;
let address: string;
let client: GrpcClient;

beforeAll(async () => {
  nats = await startNatsServer();
  controlPlane = await startTestControlPlane(nats.url, { apiToken: token, argv: ['--grpc-listen', '127.0.0.1:0'] });
  await controlPlane.isReady();
  address = controlPlane.grpcAddress ?? '';
  client = new GrpcClient(address, protoFile('control.proto'), 'weir.v1.Control', bearer);
});

afterAll(async () => {
  client.close();
  await controlPlane.close();
  await nats.stop();
});

const documentOf = ({ reply }: GrpcAnswer) => JSON.parse(String(reply.json));
const written = (limit: number, more: object = {}) => ({ ...at, json: JSON.stringify(policy(limit)), ...more });

describe('the control plane over gRPC', () => {
  it('does what it does over REST, from the first revision to the deletion', async () => {
    expect(documentOf(await client.call('CreatePolicy', written(64, { dryRun: true })))).toMatchObject(policy(64));
    expect((await client.call('GetPolicy', at)).code).toBe(status.NOT_FOUND);
    const created = await client.call('CreatePolicy', written(64, { reason: 'first' }));
    expect(documentOf(created)).toMatchObject(policy(64));
    const overRest = await controlPlane.ask('GET', '/v1/namespaces/shop/policies/payments', { headers: bearer });
    expect(overRest.headers.get('etag')).toBe(`"${String(created.reply.version)}"`);
    const replaced = await client.call('ReplacePolicy', written(32, { ifMatch: created.reply.version }));
    expect(replaced.code).toBe(status.OK);
    expect(documentOf(await client.call('DiffRevisions', { ...at, from: 1, to: 2 }))).toMatchObject({
      summary: 'inbound.concurrency.fixed.limit 64 → 32',
    });
    await client.call('RollBack', { ...at, to: 1, ifMatch: '*' });
    const page = await client.call('ListRevisions', { ...at, limit: 2 });
    expect(page.reply).toMatchObject({ items: [{ version: '3' }, { version: '2' }] });
    const rest = await client.call('ListRevisions', { ...at, page: page.reply.nextPage });
    expect(rest.reply).toMatchObject({ items: [{ version: '1' }], nextPage: '' });
    expect(documentOf(await client.call('GetRevision', { ...at, revision: 1 }))).toMatchObject({
      reason: 'first',
      by: 'api-token',
    });
    const json = JSON.stringify({ policy: policy(16), stages: [{ percent: 50, hold: '1m' }] });
    const { version } = (await client.call('GetPolicy', at)).reply;
    expect(documentOf(await client.call('StartRollout', { ...at, json, ifMatch: version }))).toMatchObject({
      phase: 'progressing',
    });
    const aborted = await client.call('ActOnRollout', { ...at, action: 'abort', ifMatch: '*', reason: 'no' });
    expect(documentOf(aborted)).toMatchObject({ phase: 'aborted', by: 'api-token' });
    expect(documentOf(await client.call('GetImpact', written(1)))).toMatchObject({ answered: 0 });
    expect((await client.call('DeletePolicy', { ...at, ifMatch: '*' })).code).toBe(status.OK);
    expect((await client.call('ListPolicies', {})).reply).toEqual({ items: [], nextPage: '' });
  });

  it('says no in gRPC’s words, with the whole problem beside them', async () => {
    await client.call('CreatePolicy', written(64));
    expect(await client.call('CreatePolicy', written(64))).toMatchObject({ code: status.ALREADY_EXISTS });
    expect(await client.call('ReplacePolicy', written(1))).toMatchObject({
      code: status.FAILED_PRECONDITION,
      problem: { type: 'urn:weir:problem:precondition-required', status: 428 },
    });
    expect(await client.call('ReplacePolicy', written(1, { ifMatch: '99999' }))).toMatchObject({
      code: status.ABORTED,
    });
    const wrong = await client.call('CreatePolicy', { ...at, json: JSON.stringify({ ...policy(0), kew: 1 }) });
    expect(wrong).toMatchObject({
      code: status.INVALID_ARGUMENT,
      problem: { type: 'urn:weir:problem:invalid-policy' },
    });
    expect(JSON.stringify(wrong.problem)).toContain('/spec/inbound/concurrency/fixed/limit');
    expect(await client.call('CreatePolicy', { ...at, json: '{' })).toMatchObject({ code: status.INVALID_ARGUMENT });
    expect(await client.call('GetPolicy', { namespace: 'shop.*', name: 'x' })).toMatchObject({
      code: status.INVALID_ARGUMENT,
      details: '/namespace is no DNS label',
    });
    const large = await client.call('CreatePolicy', { ...at, json: 'x'.repeat(2 ** 20) });
    expect(large.code).toBe(status.RESOURCE_EXHAUSTED);
    await client.call('DeletePolicy', { ...at, ifMatch: '*' });
  });

  it('asks for a token, and for the role of each method', async () => {
    expect((await client.call('WhoAmI', {}, {})).code).toBe(status.UNAUTHENTICATED);
    expect((await client.call('WhoAmI', {}, { authorization: 'Bearer wrong-token' })).code).toBe(
      status.UNAUTHENTICATED,
    );
    expect((await client.call('WhoAmI', {})).reply).toEqual({ name: 'api-token', role: 'admin' });
    const made = await client.call('CreateToken', { name: 'bob', role: 'operator', expiresIn: '1h' });
    const bob = { authorization: `Bearer ${String(made.reply.token)}` };
    expect((await client.call('WhoAmI', {}, bob)).reply).toEqual({ name: 'token bob', role: 'operator' });
    expect((await client.call('ListPolicies', {}, bob)).code).toBe(status.OK);
    expect(await client.call('CreatePolicy', written(64), bob)).toMatchObject({
      code: status.PERMISSION_DENIED,
      details: 'this needs the role editor; token bob is operator',
    });
    const promote = { ...at, action: 'promote', ifMatch: '*' };
    expect((await client.call('ActOnRollout', promote, bob)).code).toBe(status.PERMISSION_DENIED);
    expect((await client.call('ListTokens', {}, bob)).code).toBe(status.PERMISSION_DENIED);
    await until(
      async () =>
        JSON.stringify((await client.call('ListAudit', { kind: 'denied' }, bob)).reply).includes('grpc CreatePolicy'),
      { what: 'the denial is audited' },
    );
    expect((await client.call('CreateToken', { name: 'x', role: 'king' })).code).toBe(status.INVALID_ARGUMENT);
    const [{ id }] = JSON.parse(`[${JSON.stringify(JSON.parse(JSON.stringify(made.reply)).document)}]`).map(
      ({ json }: { json: string }) => JSON.parse(json),
    );
    expect((await client.call('RevokeToken', { id })).code).toBe(status.OK);
    expect((await client.call('WhoAmI', {}, bob)).code).toBe(status.UNAUTHENTICATED);
  });

  it('tells who watches what is there and what becomes of it', async () => {
    const seen: string[] = [];
    const watched = client.watch('WatchPolicies', { namespace: 'shop' }, ({ type, document }) => {
      const json = JSON.parse(JSON.stringify(document ?? { json: '' })).json;
      seen.push(`${String(type)} ${json === '' ? '' : JSON.parse(json).metadata.name}`.trim());
    });
    await until(() => seen.at(-1) === 'SYNCED', { what: 'it begins' });
    await client.call('CreatePolicy', written(64));
    await client.call('ReplacePolicy', written(32, { ifMatch: '*' }));
    await client.call('DeletePolicy', { ...at, ifMatch: '*' });
    await until(() => seen.at(-1) === 'DELETED payments', { what: 'the deletion is told' });
    expect(seen).toEqual(['SYNCED', 'ADDED payments', 'MODIFIED payments', 'DELETED payments']);
    watched.cancel();
    expect(await watched.ended).toBe(status.CANCELLED);
    const stranger = new GrpcClient(address, protoFile('control.proto'), 'weir.v1.Control');
    expect(await stranger.watch('WatchPolicies', {}, () => {}).ended).toBe(status.UNAUTHENTICATED);
    stranger.close();
  });

  it('is bounded for watchers: who comes when it is full is told so, and who leaves makes room', async () => {
    const clients = [1, 2, 3].map(() => new GrpcClient(address, protoFile('control.proto'), 'weir.v1.Control', bearer));
    let synced = 0;
    const codes: number[] = [];
    const open = (index: number) => {
      const watch = clients[index % 3]!.watch('WatchRollouts', {}, ({ type }) => {
        if (type === 'SYNCED') synced++;
      });
      watch.ended.then((code) => codes.push(code));
      return watch;
    };
    const watches = Array.from({ length: watchersMax + 2 }, (_, i) => open(i));
    await until(() => synced === watchersMax && codes.length === 2, { what: 'it is full' });
    expect(codes).toEqual([status.RESOURCE_EXHAUSTED, status.RESOURCE_EXHAUSTED]);
    for (const watch of watches) watch.cancel();
    await until(() => codes.length === watches.length, { what: 'all have left' });
    await until(
      async () => {
        const before = synced;
        const watch = open(0);
        await until(() => synced > before || codes.length > watches.length, { what: 'an answer' });
        watch.cancel();
        return synced > before;
      },
      { what: 'there is room again' },
    );
    for (const each of clients) each.close();
  });

  it('has health and reflection, for which nobody needs a token', async () => {
    const health = new GrpcClient(address, healthProto, 'grpc.health.v1.Health');
    await until(async () => (await health.call('Check', { service: 'weir.v1.Control' })).reply.status === 'SERVING', {
      what: 'it is serving',
    });
    expect((await health.call('Check', { service: 'nobody' })).code).toBe(status.NOT_FOUND);
    health.close();
    const proto = fileURLToPath(import.meta.resolve('@grpc/reflection')).replace(
      /src\/index\.js$/,
      'proto/grpc/reflection/v1/reflection.proto',
    );
    const reflection = new GrpcClient(address, proto, 'grpc.reflection.v1.ServerReflection');
    const listed = await reflection.converse('ServerReflectionInfo', { listServices: '' });
    expect(JSON.stringify(listed)).toContain('weir.v1.Control');
    const file = await reflection.converse('ServerReflectionInfo', { fileContainingSymbol: 'weir.v1.Control' });
    expect(file).toMatchObject({ fileDescriptorResponse: { fileDescriptorProto: [expect.anything()] } });
    reflection.close();
  });

  it('is off unless it is asked for, and beyond loopback asks for a credential', () => {
    const check = (argv: readonly string[], apiToken?: string) => {
      const parsed = parseOptions(controlPlaneOptions, { argv, env: {} });
      if (!parsed.ok || parsed.help) throw new Error(JSON.stringify(parsed));
      return checkConfig(parsed.values, { apiToken });
    };
    expect(check([])).toMatchObject({ ok: true });
    expect(check(['--grpc-listen', '0.0.0.0:1'])).toEqual({
      ok: false,
      errors: ['--grpc-listen beyond loopback needs --api-token-file (or WEIR_API_TOKEN) or --access tokens'],
    });
    expect(check(['--grpc-listen', '0.0.0.0:1', '--access', 'tokens'])).toMatchObject({ ok: true });
    expect(check(['--grpc-listen', '0.0.0.0:1'], token)).toMatchObject({ ok: true });
  });
});
