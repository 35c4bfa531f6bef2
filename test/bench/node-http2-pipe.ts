/**
 * The proxy one writes in an afternoon: node:http2 on both sides, headers copied, bodies piped, one upstream session
 * for each downstream one. No policy at all. It is what Weir's own engine has to be worth the trouble against. Bodies
 * go through `pipe`, so it has the backpressure Node's streams give.
 *
 *   node node-http2-pipe.js <origin port>            prints {"port": …}
 */
import { connect, createServer, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';

const originUrl = `http://127.0.0.1:${process.argv[2]}`;
const server = createServer();

server.on('session', (downstream: ServerHttp2Session) => {
  const upstream = connect(originUrl);
  upstream.on('error', () => downstream.destroy());
  downstream.on('close', () => upstream.close());
  downstream.on('stream', (stream: ServerHttp2Stream, headers) => {
    const request = upstream.request(headers, { endStream: stream.endAfterHeaders });
    request.on('response', (answer) => {
      stream.respond(answer);
      request.pipe(stream);
    });
    if (!stream.endAfterHeaders) stream.pipe(request);
    request.on('error', () => stream.close());
    stream.on('error', () => request.close());
    stream.on('close', () => request.close());
  });
});

server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  console.log(JSON.stringify({ port: address !== null && typeof address === 'object' ? address.port : 0 }));
});
