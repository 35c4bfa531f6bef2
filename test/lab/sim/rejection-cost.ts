/** What refusing one request costs in real time: the whole exchange, from its head to the answer, with every permit taken. */

import type { HttpStream } from '../../../sidecar/exchange/http-stream.ts';
import { ErrorCode } from '../../../sidecar/http2/constants.ts';
import { type CreditSource, ResetCause, type StreamHandler } from '../../../sidecar/http2/stream.ts';
import { specOf } from '../policies.ts';
import { Recording } from '../recording.ts';
import { requestHead } from './heads.ts';
import { SimSidecar } from './sidecar.ts';
import { World } from './world.ts';

const rounds = 5;
const perRound = 20_000;

class Sink implements HttpStream {
  handler: StreamHandler | null = null;
  source: CreditSource | null = null;
  isClosed = false;
  readonly remoteClosed = true;
  sendHeaders(): void {}
  sendData(): void {}
  sendTrailers(): void {}
  reset(): void {}
  credit(): void {}
}

/** The best of a few rounds: what else runs on the machine is not its cost. */
export function rejectionCostUs(): number {
  const world = new World(1, new Recording(1000));
  const spec = specOf('any', { inbound: { concurrency: { fixed: { limit: 1 } } } });
  const sidecar = new SimSidecar({
    world,
    name: 'any',
    service: 'any',
    policies: new Map([['any', spec]]),
    endpoints: new Map(),
    connectionTo: () => undefined,
  });
  sidecar.app = { takesExtendedConnect: false, request: () => new Sink() };
  const head = requestHead('any', '/lab.Service/Call', 100);
  const first = new Sink();
  sidecar.acceptInbound(first, head, true);
  const took = Array.from({ length: rounds }, () => {
    const startedMs = performance.now();
    for (let i = 0; i < perRound; i++) sidecar.acceptInbound(new Sink(), head, true);
    return ((performance.now() - startedMs) * 1000) / perRound;
  });
  first.handler?.onReset(ErrorCode.cancel, ResetCause.peer);
  return Math.min(...took);
}
