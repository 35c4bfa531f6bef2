/**
 * gRPC's own interoperability cases, with the client and the server of grpc-go and two sidecars between them:
 * https://github.com/grpc/grpc/blob/master/doc/interop-test-descriptions.md
 */
import net from 'node:net';
import { freePort } from '../bench/children.ts';
import { startProgram } from '../support/process.ts';
import { until } from '../support/until.ts';
import { type Mesh, startPair } from './mesh.ts';
import { absent, findPeer, runPeer } from './peers.ts';
import { type CaseResult, judge, ran, type Suite, type SuiteOutcome } from './suite.ts';

const cases = [
  'empty_unary',
  'large_unary',
  'client_streaming',
  'server_streaming',
  'ping_pong',
  'empty_stream',
  'timeout_on_sleeping_server',
  'cancel_after_begin',
  'cancel_after_first_response',
  'status_code_and_message',
  'special_status_message',
  'custom_metadata',
  'unimplemented_method',
  'unimplemented_service',
] as const;

export const grpcInteropSuite: Suite = {
  name: 'grpc-interop',
  about: 'grpc-go client → sidecar → sidecar → grpc-go server',
  run,
};

async function run(): Promise<SuiteOutcome> {
  const client = findPeer('grpc-interop-client');
  const server = findPeer('grpc-interop-server');
  if (client === null) return { kind: 'absent', ...absent('grpc-interop-client') };
  if (server === null) return { kind: 'absent', ...absent('grpc-interop-server') };
  const port = await freePort();
  const service = await startProgram(server, ['-port', String(port)], { readyMsg: null });
  let pair: Mesh | null = null;
  try {
    await until(() => accepts(port), { what: 'the Go server listens', timeoutMs: 20_000 });
    pair = await startPair(`127.0.0.1:${port}`);
    const [host, at] = pair.address.split(':');
    const results: CaseResult[] = [];
    for (const name of cases) {
      results.push(
        await judge(name, async () => {
          const args = ['-server_host', host ?? '', '-server_port', at ?? '', '-test_case', name];
          const { code, stderr } = await runPeer(client, args);
          if (code !== 0) throw new Error(code === null ? 'no end within 30 s' : stderr.trim().split('\n').at(-1));
        }),
      );
    }
    return ran(results);
  } finally {
    await pair?.stop();
    await service.kill9();
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => resolve(true));
    socket.on('error', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });
}
