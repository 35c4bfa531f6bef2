/**
 * Load that does not wait for answers: requests begin when they are due, at an even pace, whatever became of those before.
 * One HTTP/2 connection; nothing but status, reason and time is kept of an answer.
 */
import http2 from 'node:http2';

export interface Sent {
  readonly kind: string;
  /** Since the load began. */
  readonly atMs: number;
  readonly status: number;
  readonly reason: string;
}

export interface Load {
  readonly address: string;
  readonly authority: string;
  readonly perSecond: number;
  readonly forMs: number;
  /** The kind of the n-th request, and the fields that make it one. */
  readonly kindOf: (n: number) => { readonly kind: string; readonly headers: Readonly<Record<string, string>> };
}

export async function openLoop({ address, authority, perSecond, forMs, kindOf }: Load): Promise<Sent[]> {
  const session = http2.connect(`http://${address}`);
  const begunMs = performance.now();
  const answers: Promise<Sent>[] = [];
  const total = Math.floor((perSecond * forMs) / 1000);
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      const atMs = performance.now() - begunMs;
      while (answers.length < total && (answers.length * 1000) / perSecond <= atMs) {
        const { kind, headers } = kindOf(answers.length);
        answers.push(send(session, { ':path': '/', ':authority': authority, ...headers }, kind, atMs));
      }
      if (answers.length < total) return;
      clearInterval(timer);
      resolve();
    }, 2);
  });
  const all = await Promise.all(answers);
  session.close();
  return all;
}

function send(
  session: http2.ClientHttp2Session,
  headers: http2.OutgoingHttpHeaders,
  kind: string,
  atMs: number,
): Promise<Sent> {
  return new Promise((resolve) => {
    const stream = session.request(headers);
    let status = 0;
    let reason = '';
    stream.on('response', (fields) => {
      status = fields[':status'] ?? 0;
      reason = String(fields['weir-reason'] ?? '');
    });
    stream.on('error', () => {});
    stream.on('close', () => resolve({ kind, atMs, status, reason }));
    stream.resume();
    stream.end();
  });
}
