/** Unix sockets instead of ports: the app behind one, over HTTP/1.1 and HTTP/2, and the inbound listener on one. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, expect, test } from 'vitest';
import { startHttpApp } from '../support/http-app.ts';
import { type RunningSidecar, startSidecar } from '../support/sidecar.ts';
import { tempDir } from '../support/temp-dir.ts';

const folder = tempDir('unix');
const appSocket = join(folder.path, 'app.sock');
const inboundSocket = join(folder.path, 'in.sock');
let sidecar: RunningSidecar | undefined;
let stopApp: () => Promise<unknown> = async () => {};

afterEach(async () => {
  await sidecar?.stop();
  await stopApp();
});
afterAll(() => folder.remove());

async function startHttp2App(): Promise<void> {
  const server = http2.createServer((request, response) => request.pipe(response));
  const sessions = new Set<http2.ServerHttp2Session>();
  server.on('session', (session) => sessions.add(session));
  await new Promise<void>((resolve) => server.listen(appSocket, resolve));
  stopApp = () => {
    for (const session of sessions) session.destroy();
    return new Promise((resolve) => server.close(resolve));
  };
}

async function echo(session: http2.ClientHttp2Session, body: string): Promise<string> {
  const stream = session.request({ ':path': '/', ':method': 'POST' });
  stream.end(body);
  let answer = '';
  for await (const part of stream) answer += String(part);
  session.destroy();
  return answer;
}

test('an HTTP/2 app behind a Unix socket is reached through an inbound Unix socket', async () => {
  await startHttp2App();
  sidecar = await startSidecar({ argv: ['--app', `unix:${appSocket}`, '--inbound', `unix:${inboundSocket}`] });
  expect(sidecar.inbound).toBe(`unix:${inboundSocket}`);
  const body = 'x'.repeat(200_000);
  const session = http2.connect('http://app', { createConnection: () => net.connect(inboundSocket) });
  expect(await echo(session, body)).toBe(body);
});

test('an HTTP/1.1 app behind a Unix socket, likewise', async () => {
  const app = await startHttpApp(appSocket);
  stopApp = () => app.stop();
  sidecar = await startSidecar({ argv: ['--app', app.address, '--inbound', `unix:${inboundSocket}`] });
  const body = 'y'.repeat(200_000);
  const answer = await new Promise<string>((resolve, reject) => {
    const request = http.request({ socketPath: inboundSocket, method: 'POST', path: '/' }, async (response) => {
      let text = '';
      for await (const part of response) text += String(part);
      resolve(text);
    });
    request.once('error', reject);
    request.end(body);
  });
  expect(answer).toBe(body);
});

test('a socket file left by a sidecar that died is taken over, one that is listened on is not', async () => {
  const left = join(folder.path, 'left.sock');
  const child = spawnSync(process.execPath, [
    '-e',
    `require('node:net').createServer().listen(${JSON.stringify(left)}, () => process.kill(process.pid, 'SIGKILL'))`,
  ]);
  expect(child.signal).toBe('SIGKILL');
  expect(existsSync(left)).toBe(true);
  const argv = ['--app', `unix:${appSocket}`, '--inbound', `unix:${left}`];
  sidecar = await startSidecar({ argv });
  await expect(startSidecar({ argv })).rejects.toThrow(/EADDRINUSE/);
});
