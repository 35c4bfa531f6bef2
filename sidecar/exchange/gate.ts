/**
 * What every request is asked before its side's own steps, because the answer concerns the proxy and not the service: is
 * its header list whole, and can the proxy itself bear one more?
 */
import { Reason } from '../../proto/reasons.ts';
import type { SelfShedder } from '../admission/self-shedder.ts';
import type { RequestView } from './context.ts';

/** An overload of the proxy passes in seconds. */
const retryAfterMs = 1000;

export class Gate {
  private readonly shedder: SelfShedder;

  constructor(shedder: SelfShedder) {
    this.shedder = shedder;
  }

  /** The reason to refuse it, or none. */
  refusalOf(request: RequestView): number {
    // What did not fit was dropped, and half a request must not go on.
    if (request.head.tooLarge) return Reason.headersTooLarge;
    if (!this.shedder.refusesNext()) return Reason.none;
    request.retryAfterMs = retryAfterMs;
    return Reason.proxyOverload;
  }
}
