/**
 * The proxy one writes in an afternoon: node:http2 on both sides, headers copied, bodies piped, one upstream session
 * for each downstream one. No policy at all. It is what Weir's own engine has to be worth the trouble against. Bodies
 * go through `pipe`, so it has the backpressure Node's streams give.
 *
 *   node node-http2-pipe.js <origin port> [<port> [<certificate file> <key file>]]            prints {"port": …}
 */
import { readFileSync } from 'node:fs';
import {
  type ClientHttp2Stream,
  connect,
  createSecureServer,
  createServer,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';

const [originPort, port = '0', certificateFile, keyFile] = process.argv.slice(2);
const originUrl = `http://127.0.0.1:${originPort}`;
const server =
  certificateFile === undefined || keyFile === undefined
    ? createServer()
    : createSecureServer({ cert: readFileSync(certificateFile), key: readFileSync(keyFile) });

server.on('session', (downstream: ServerHttp2Session) => {
  const upstream = connect(originUrl);
  upstream.on('error', () => downstream.destroy());
  downstream.on('error', () => downstream.destroy());
  downstream.on('close', () => upstream.close());
  downstream.on('stream', (stream: ServerHttp2Stream, headers) => {
    const request = upstream.request(headers, { endStream: stream.endAfterHeaders });
    request.on('response', (answer) => {
      const isGrpc = String(answer['content-type']).startsWith('application/grpc');
      stream.respond(answer, { waitForTrailers: isGrpc });
      if (isGrpc) passTrailers(request, stream);
      request.pipe(stream);
    });
    if (!stream.endAfterHeaders) stream.pipe(request);
    request.on('error', () => stream.close());
    stream.on('error', () => request.close());
    stream.on('close', () => request.close());
  });
});

function passTrailers(request: ClientHttp2Stream, stream: ServerHttp2Stream): void {
  let trailers: IncomingHttpHeaders = {};
  request.on('trailers', (received) => {
    trailers = received;
  });
  stream.on('wantTrailers', () => stream.sendTrailers(trailers));
}

server.listen({ port: Number(port), host: '127.0.0.1', backlog: 4096 }, () => {
  const address = server.address();
  console.log(JSON.stringify({ port: address !== null && typeof address === 'object' ? address.port : 0 }));
});
