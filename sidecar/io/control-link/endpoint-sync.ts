/**
 * Endpoints of the targets in use, always as the full list. They travel apart from policy, so that a rolling restart of
 * a service changes nobody's policy version. When NATS is away the last list stands.
 */
import { type BundleOrder, isNewer } from '../../../proto/policy/bundle.ts';
import type { FleetCodec } from './codec.ts';
import type { Log, TargetLink } from './mesh.ts';

export const endpointsMax = 10_000;

export class EndpointSync {
  private readonly codec: FleetCodec;
  private readonly log: Log;
  private readonly orders = new Map<string, BundleOrder>();

  constructor(codec: FleetCodec, log: Log) {
    this.codec = codec;
    this.log = log;
  }

  onValue(target: TargetLink, bytes: Uint8Array): void {
    const message = this.codec.decodeEndpoints(bytes);
    if (!message || message.service !== target.key) {
      this.log('warn', 'ignoring endpoints that cannot be read', { target: target.key, bytes: bytes.length });
      return;
    }
    const { epoch, version, endpoints } = message;
    if (!isNewer(this.orders.get(target.key) ?? null, { epoch, version })) return;
    this.orders.set(target.key, { epoch, version });
    if (endpoints.length > endpointsMax) {
      this.log('warn', 'too many endpoints, using the first', {
        target: target.key,
        endpointsMax,
        got: endpoints.length,
      });
    }
    target.setEndpoints(endpoints.slice(0, endpointsMax));
  }
}
