/**
 * The fleet codec against the contract: what goes in comes out, and what is missing has its default.
 */
import { describe, expect, it } from 'vitest';
import {
  decodeAck,
  decodeEndpoints,
  decodeGrant,
  decodeHeartbeat,
  decodeReport,
  decodeVerdict,
  encodeAck,
  encodeEndpoints,
  encodeGrant,
  encodeHeartbeat,
  encodeReport,
  encodeVerdict,
} from '../../proto/fleet.ts';

const identity = {
  namespace: 'shop',
  service: 'payments',
  instance: 'payments-0',
  incarnation: 'abc',
  zone: 'z1',
  version: '0.1.0',
};

describe('the fleet codec', () => {
  it('brings a heartbeat back whole, with zeros, lists and maps filled in', () => {
    const bytes = encodeHeartbeat({
      identity,
      seq: 2 ** 40,
      address: '127.0.0.1:9001',
      intervalMs: 1000,
      traffic: [
        {
          direction: 'inbound',
          peer: 'shop/payments',
          requests: 12,
          rejected: { rate_limit: 3 },
          latencyBuckets: [4, 9],
        },
      ],
    });
    expect(decodeHeartbeat(bytes)).toEqual({
      v: 1,
      identity,
      seq: 2 ** 40,
      address: '127.0.0.1:9001',
      draining: false,
      intervalMs: 1000,
      policies: [],
      breakers: [],
      process: null,
      traffic: [
        {
          direction: 'inbound',
          peer: 'shop/payments',
          requests: 12,
          success: 0,
          failure: 0,
          rejected: { rate_limit: 3 },
          latencyBuckets: [4, 9],
          inFlight: 0,
          concurrencyLimit: 0,
          queueDepth: 0,
        },
      ],
    });
  });

  it('brings the other messages back', () => {
    const applied = { target: 'shop/payments', epoch: '1', version: 3, hash: 'h', status: 'applied', message: '' };
    expect(decodeAck(encodeAck({ identity, applied }))).toEqual({ v: 1, identity, applied });
    const report = decodeReport(encodeReport({ identity, seq: 1, targets: [{ target: 'a/b', n: 5, fail: 2 }] }));
    expect(report?.targets[0]).toMatchObject({ target: 'a/b', n: 5, fail: 2, endpoints: [] });
    const quota = { key: 'total', demand: 12.5, heldEpoch: '7', heldSeq: 41, ratePerSecond: 0.25, members: 3 };
    const ofQuotas = decodeReport(encodeReport({ identity, seq: 42, quotas: [quota] }));
    expect(ofQuotas).toMatchObject({ targets: [], quotas: [{ ...quota, admitted: 0, leaving: false, chunkLeft: 0 }] });
    const lease = { key: 'total', ratePerSecond: 90.5, burst: 9, ttlMs: 1000, safeRatePerSecond: 50, safeForMs: 9000 };
    const grant = decodeGrant(encodeGrant({ incarnation: 'abc', answersSeq: 42, epoch: '8', leases: [lease] }));
    expect(grant).toMatchObject({ answersSeq: 42, tokens: [], leases: [{ ...lease, members: 0, chunk: 0 }] });
    const evidence = {
      voters: 4,
      failingVoters: 4,
      n: 80,
      fail: 61,
      text: 't',
      worst: [{ instance: 'o-0', n: 1, fail: 1 }],
    };
    const verdict = decodeVerdict(encodeVerdict({ target: 'a/b', state: 'open', generation: 7, evidence }));
    expect(verdict).toMatchObject({ generation: 7, evidence });
    const endpoints = [{ instance: 'p-0', address: '127.0.0.1:1', zone: '', draining: true }];
    expect(decodeEndpoints(encodeEndpoints({ service: 'a/b', version: 2, endpoints }))).toMatchObject({ endpoints });
  });

  it('refuses what is no such message instead of throwing', () => {
    expect(decodeHeartbeat(Buffer.from('not protobuf at all'))).toBeUndefined();
    expect(decodeHeartbeat(Buffer.alloc(0))).toBeUndefined();
    expect(decodeAck(encodeHeartbeat({ identity }))).toBeUndefined();
    expect(decodeVerdict(Buffer.alloc(2 * 1024 * 1024))).toBeUndefined();
    expect(decodeHeartbeat(encodeHeartbeat({ identity: { ...identity, service: '' } }))).toBeUndefined();
  });
});
