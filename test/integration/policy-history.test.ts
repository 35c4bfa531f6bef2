/** What a policy was, on a real nats-server: revisions with author and reason, differences, and the way back. */
import { describe, expect, it } from 'vitest';
import { controlPlaneForAll } from '../support/control-plane.ts';

const path = '/v1/namespaces/shop/policies';
const policy = (limit: number, name: string) => ({
  apiVersion: 'weir.dev/v1alpha1',
  kind: 'TrafficPolicy',
  metadata: { name, namespace: 'shop' },
  spec: { target: { service: name }, inbound: { concurrency: { fixed: { limit } } } },
});
const whateverIsThere = { 'if-match': '*' };

const mesh = controlPlaneForAll();

const ask = (method: string, end: string, options = {}) => mesh.controlPlane.ask(method, `${path}${end}`, options);

describe('the history of a policy', () => {
  it('shows each revision with its reason, tells two apart, and goes back by a new one', async () => {
    await ask('POST', '?reason=first', { body: policy(64, 'a') });
    await ask('PUT', '/a?reason=too+much', { body: policy(32, 'a'), headers: whateverIsThere });
    const one = await ask('GET', '/a/revisions/2');
    expect(one.body).toMatchObject({ ...{ revision: 2, reason: 'too much', by: 'loopback' }, policy: policy(32, 'a') });
    const tag = one.headers.get('etag') ?? '';
    expect((await ask('GET', '/a/revisions/2', { headers: { 'if-none-match': tag } })).status).toBe(304);
    expect((await ask('GET', '/a/diff?from=1&to=2')).body).toEqual({
      from: 1,
      to: 2,
      summary: 'inbound.concurrency.fixed.limit 64 → 32',
      changes: [{ pointer: '/spec/inbound/concurrency/fixed/limit', before: 64, after: 32 }],
    });
    expect((await ask('GET', '/a/diff?from=1&to=9')).status).toBe(404);
    expect((await ask('POST', '/a/rollback?to=1')).status).toBe(428);
    expect((await ask('POST', '/a/rollback?to=1&dryRun=All', { headers: whateverIsThere })).body).toMatchObject(
      policy(64, 'a'),
    );
    expect((await ask('POST', '/a/rollback?to=1', { headers: whateverIsThere })).body).toMatchObject({
      ...policy(64, 'a'),
      metadata: { generation: 3 },
    });
    const page = await ask('GET', '/a/revisions?limit=1');
    expect(page.body).toMatchObject({ items: [{ revision: 3, reason: 'rollback to revision 1' }] });
    const rest =
      typeof page.body === 'object' && page.body && 'continue' in page.body ? String(page.body.continue) : '';
    expect((await ask('GET', `/a/revisions?continue=${rest}`)).body).toMatchObject({
      items: [{ revision: 2 }, { revision: 1, reason: 'first' }],
    });
  });

  it('brings back what was deleted; a deletion itself has nothing to go back to', async () => {
    await ask('POST', '', { body: policy(64, 'b') });
    expect((await ask('DELETE', '/b?dryRun=All', { headers: whateverIsThere })).body).toMatchObject(policy(64, 'b'));
    expect((await ask('GET', '/b')).status).toBe(200);
    await ask('DELETE', '/b?reason=gone', { headers: whateverIsThere });
    expect((await ask('GET', '/b')).status).toBe(404);
    expect((await ask('POST', '/b/rollback?to=2')).status).toBe(409);
    expect((await ask('POST', '/b/rollback?to=1')).status).toBe(200);
    expect((await ask('GET', '/b')).body).toMatchObject(policy(64, 'b'));
    expect((await ask('GET', '/b/diff?from=2&to=3')).body).toMatchObject({ summary: 'created' });
  });
});
