/**
 * The wire codec as a value: it stands on protobuf and reads a file when it is imported, so the link imports it together
 * with the NATS client, and a standalone sidecar loads neither.
 */
export type FleetCodec = Pick<
  typeof import('../../../proto/fleet.ts'),
  | 'encodeHeartbeat'
  | 'encodeAck'
  | 'encodeReport'
  | 'decodeVerdict'
  | 'decodeGrant'
  | 'encodeSlotResult'
  | 'decodeSlotResult'
  | 'decodeEndpoints'
  | 'decodeGrant'
  | 'decodeCommand'
  | 'encodeCommandReply'
>;

export function loadFleetCodec(): Promise<FleetCodec> {
  return import('../../../proto/fleet.ts');
}
