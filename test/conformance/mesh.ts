/**
 * Sidecars as an operator runs them, each a process: one in front of a service, or a pair between a caller and it
 * (caller → its outbound port → the service's inbound port → the service).
 */
import { startWeir, text, type WeirProcess } from '../support/process.ts';

export interface Mesh {
  /** Where callers go: `127.0.0.1:port`. */
  readonly address: string;
  stop(): Promise<void>;
}

const doors = ['outbound', 'health', 'metrics', 'admin'].flatMap((door) => [`--${door}`, '127.0.0.1:0']);

function startInbound(app: string): Promise<WeirProcess> {
  const names = ['--service', 'test/service', '--app', app, '--app-protocol', 'http2'];
  return startWeir(['sidecar', ...names, '--inbound', '127.0.0.1:0', ...doors]);
}

/** One sidecar in front of `app`. */
export async function startFront(app: string): Promise<Mesh> {
  const front = await startInbound(app);
  return { address: text(front.listening, 'inbound'), stop: async () => void (await front.stop('SIGKILL')) };
}

export async function startPair(app: string): Promise<Mesh> {
  const callee = await startInbound(app);
  const inbound = text(callee.listening, 'inbound');
  const caller = await startWeir([
    'sidecar',
    ...['--service', 'test/caller', '--endpoint', `test/service=${inbound}`, '--upstream', '0=test/service'],
    ...doors,
  ]);
  const { upstreams } = caller.listening;
  const address =
    typeof upstreams === 'object' && upstreams !== null && 'test/service' in upstreams
      ? String(upstreams['test/service'])
      : '';
  return {
    address,
    stop: async () => void (await Promise.all([caller.stop('SIGKILL'), callee.stop('SIGKILL')])),
  };
}
