/** What is read from a running sidecar: its memory after a collection, its open handles, and its own numbers. */
import { connect } from 'node:net';

export interface Reading {
  readonly heapBytes: number;
  readonly rssBytes: number;
  /** Sockets and timers that are open, as node counts them. */
  readonly handles: number;
  readonly connections: number;
  readonly streams: number;
  readonly bufferedBytes: number;
  readonly inFlight: number;
}

/** Where a sidecar can be asked. */
export interface Place {
  readonly name: string;
  readonly probe: string;
  readonly admin: string;
}

const askMs = 10_000;

export async function read(place: Place): Promise<Reading> {
  const [memory, stats] = await Promise.all([askProbe(place.probe), askAdmin(place.admin)]);
  const process = record(stats.process);
  const traffic = Array.isArray(stats.traffic) ? stats.traffic.map(record) : [];
  return {
    heapBytes: number(memory.heapUsed),
    rssBytes: number(memory.rss),
    handles: handlesOf(record(memory.handles)),
    connections: number(stats.connections),
    streams: number(process.streams),
    bufferedBytes: number(stats.bufferedBytes),
    inFlight: traffic.reduce((sum, row) => sum + number(row.inFlight), 0),
  };
}

/** The kinds that leak when something is forgotten; timers of single turns come and go. */
function handlesOf(kinds: Readonly<Record<string, unknown>>): number {
  return Object.entries(kinds).reduce((sum, [kind, count]) => (/Wrap$/.test(kind) ? sum + number(count) : sum), 0);
}

async function askProbe(path: string): Promise<Record<string, unknown>> {
  const text = await new Promise<string>((resolve, reject) => {
    const socket = connect(path);
    let answer = '';
    socket.setTimeout(askMs, () => socket.destroy(new Error('the probe does not answer')));
    socket.on('data', (bytes) => {
      answer += bytes.toString();
    });
    socket.once('error', reject);
    socket.once('end', () => resolve(answer));
  });
  return record(JSON.parse(text));
}

async function askAdmin(address: string): Promise<Record<string, unknown>> {
  const headers = { connection: 'close' };
  const response = await fetch(`http://${address}/stats`, { headers, signal: AbortSignal.timeout(askMs) });
  return record(await response.json());
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function number(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}
