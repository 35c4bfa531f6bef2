/** A request's fields in HTTP/1.1's form. What node would throw at must never reach it: that ends the whole proxy. */
import { ClientRequest } from 'node:http';
import { describe, expect, test } from 'vitest';
import { HeaderList } from '../../../sidecar/http2/hpack/field.ts';
import { requestFields } from '../../../sidecar/io/http1-headers.ts';

const post = HeaderList.of([
  [':method', 'POST'],
  [':scheme', 'http'],
  [':authority', 'a'],
  [':path', '/'],
]);

describe('requestFields', () => {
  test.each([
    ['content of a length that was told', { set: [['content-length', '5'] as const] }, false],
    ['no content', {}, true],
    ['chunked content', {}, false],
  ])('announces trailers only where there is a place for them: %s', (_name, changes, endStream) => {
    const list = post.with(changes).with({ set: [['trailer', 'x-end']] });
    const headers = requestFields(list, endStream);
    expect(headers.includes('trailer')).toBe(headers.includes('chunked'));
    // As node sees it (it threw here, and nobody caught it).
    const request = new ClientRequest({ host: '127.0.0.1', port: 9, method: 'POST', headers, setHost: false });
    request.on('error', () => {});
    request.destroy();
  });
});
