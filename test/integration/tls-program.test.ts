/**
 * TLS as an operator starts it: the program with threads, whose sessions resume on any of them, and what it says at the
 * start about files that cannot be used.
 */
import tls from 'node:tls';
import { afterAll, afterEach, expect, test } from 'vitest';
import { Authority, writePair, writePem } from '../support/certificates.ts';
import { type HttpApp, startHttpApp } from '../support/http-app.ts';
import { runWeir, sidecarDoors, startWeir, text, type WeirProcess } from '../support/process.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';

const folder = tempDir('tls-program');
const authority = new Authority('mesh');
const server = writePair(folder.path, 'server', authority.issue({ dns: ['app.test'] }));

let app: HttpApp | undefined;
let sidecar: WeirProcess | undefined;

afterEach(async () => {
  await sidecar?.stop();
  await app?.stop();
  sidecar = undefined;
  app = undefined;
});
afterAll(() => folder.remove());

/** One request on a connection of its own; the ticket for the next. */
async function visit(port: number, session?: Buffer): Promise<Buffer> {
  const options: tls.ConnectionOptions = { host: '127.0.0.1', port, servername: 'app.test', ca: authority.cert };
  const socket = tls.connect(session === undefined ? options : { ...options, session });
  let ticket = Buffer.alloc(0);
  socket.on('session', (latest) => {
    ticket = latest;
  });
  socket.write('GET / HTTP/1.1\r\nhost: app\r\nconnection: close\r\n\r\n');
  let answer = '';
  for await (const part of socket) answer += String(part);
  expect(answer).toMatch(/^HTTP\/1.1 200/);
  return ticket;
}

test('with threads a session that began on one is resumed on any, and the counts are of all', async () => {
  app = await startHttpApp();
  const files = ['--tls-cert-file', server.cert, '--tls-key-file', server.key];
  const settings = ['--app', app.address, '--app-protocol', 'http1', '--concurrency', '2'];
  sidecar = await startWeir(['sidecar', ...settings, ...files, ...sidecarDoors, '--log-format', 'json']);
  const { listening } = sidecar;
  const port = Number(text(listening, 'inbound').split(':').at(-1));
  const ticket = await visit(port);
  await Promise.all(Array.from({ length: 12 }, () => visit(port, ticket)));
  const resumed = async (): Promise<boolean> => {
    const metrics = await (await fetch(`http://${text(listening, 'metrics')}/metrics`)).text();
    return (
      metrics.includes('weir_tls_handshakes_total{side="downstream",result="full"} 1\n') &&
      metrics.includes('weir_tls_handshakes_total{side="downstream",result="resumed"} 12\n')
    );
  };
  await until(resumed, { what: 'one full handshake and twelve resumed ones are counted' });
});

test('files that cannot be used end the start with 64, each named by its setting', async () => {
  const noise = writePem(folder.path, 'noise.pem', 'x');
  const { code, stderr } = await runWeir([
    'sidecar',
    ...['--app', '127.0.0.1:1', '--tls-cert-file', server.cert, '--tls-key-file', noise],
    ...['--upstream-tls', '--upstream-tls-ca-file', noise],
    ...sidecarDoors,
  ]);
  expect(code).toBe(64);
  expect(stderr).toContain(`--tls-key-file ${noise}: holds no private key in PEM form\n`);
  expect(stderr).toContain(`--upstream-tls-ca-file ${noise}: holds no certificate in PEM form\n`);
});
