/** A parked request as tests begin with it. */
import type { ParkedRequest } from '../../proto/parked.ts';

export const parkedRequest: ParkedRequest = {
  v: 1,
  reference: 'r-0',
  target: 'shop/pay',
  from: 'shop/caller',
  reason: 'breaker_open',
  parkedAtMs: Date.now(),
  isGrpc: false,
  httpVersion: 1,
  method: 'POST',
  scheme: 'http',
  authority: 'pay',
  path: '/pay',
  headers: [['idempotency-key', 'k-0']],
  deliveriesMax: 3,
  backoffBaseMs: 100,
  backoffMaxMs: 100,
  ageMaxMs: 86_400_000,
};
