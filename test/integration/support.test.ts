/** The test support itself: waiting, a real nats-server. */
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { startNatsServer } from '../support/nats-server.ts';
import { startProgram } from '../support/process.ts';
import { until } from '../support/until.ts';

test('until answers the first truthy value', async () => {
  let calls = 0;
  expect(await until(() => (++calls === 3 ? 'third' : undefined), { what: 'a third call' })).toBe('third');
});

test('until fails at its deadline and says what it waited for and why', async () => {
  const never = until(
    () => {
      throw new Error('still closed');
    },
    { what: 'the door opens', timeoutMs: 30 },
  );
  await expect(never).rejects.toThrow('not so within 30 ms: the door opens (still closed)');
  const hanging = until(() => new Promise<boolean>(() => {}), { what: 'an answer', timeoutMs: 30 });
  await expect(hanging).rejects.toThrow('not so within 30 ms: an answer');
});

test('nats-server starts on a free port, and restarts on the same one after kill -9', async () => {
  const server = await startNatsServer({ token: 'secret' });
  expect(await greeting(server.port)).toMatch(/"auth_required":true.*"jetstream":true/);
  const firstPid = server.pid;
  await server.kill9();
  await expect(greeting(server.port)).rejects.toThrow();
  await server.restart();
  expect(server.pid).not.toBe(firstPid);
  expect(await greeting(server.port)).toContain('INFO');
  await server.stop();
});

test('a program that ends before it listens fails the test with what it wrote', async () => {
  const early = startProgram(process.execPath, ['-e', 'console.error("bad flag"); process.exit(64)']);
  await expect(early).rejects.toThrow(/ended with 64:\nbad flag/);
});

function greeting(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('error', reject);
    socket.once('data', (data) => {
      socket.destroy();
      resolve(data.toString());
    });
  });
}
