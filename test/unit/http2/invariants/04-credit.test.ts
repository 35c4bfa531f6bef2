/**
 * Invariant 4: granted = consumed + queued + outstanding, and all of it is back after the streams are closed. A leak is
 * small and shows late, so the connections have the smallest window there is and live through many rounds.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { defaultLimits } from '../../../../sidecar/http2/limits.ts';
import { Conversation, steps } from '../../../support/model/conversation.ts';
import { Traffic } from '../../../support/model/traffic.ts';
import { Recorder } from '../../../support/wire.ts';

const smallWindow = { ...defaultLimits, connectionWindowBytes: 65_535 };
const rounds = 6;

describe('the credit of a connection', () => {
  test('is back at the start after all streams are closed, however they were', () => {
    fc.assert(
      fc.property(steps, (all) => {
        const talk = new Conversation(smallWindow);
        for (let round = 0; round < rounds; round++) {
          talk.run(all.filter((step) => step.do !== 'window'));
          talk.finish();
          talk.closeAll();
          for (const [end, other] of [
            [talk.client, talk.server],
            [talk.server, talk.client],
          ] as const) {
            expect(end.fatal).toBeNull();
            expect(end.connection.streamCount).toBe(0);
            expect(end.connection.receivedUndrainedBytes).toBe(0);
            expect(end.connection.outputQueuedBytes).toBe(0);
            // What is not announced yet is less than half of the window (flow.ts).
            expect(other.audit.connectionWindow).toBeGreaterThan(65_535 / 2);
            expect(other.audit.connectionWindow).toBeLessThanOrEqual(65_535);
          }
        }
      }),
      { numRuns: 20 },
    );
  });
});

const plans = fc.array(
  fc.record({
    requestBytes: fc.oneof(fc.constant(0), fc.nat(30_000), fc.nat(150_000)),
    responseBytes: fc.oneof(fc.constant(0), fc.nat(30_000), fc.nat(150_000)),
    trailers: fc.boolean(),
    isReading: fc.boolean(),
    /** Who ends it early, if anybody. */
    fate: fc.constantFrom('whole', 'clientResets', 'serverResets', 'serverAnswersEarly'),
  }),
  { minLength: 1, maxLength: 8 },
);

describe('the credit of a chain of proxies', () => {
  test('comes back through every hop, whoever reset what', () => {
    fc.assert(
      fc.property(plans, (all) => {
        const traffic = new Traffic(2, smallWindow);
        for (let round = 0; round < rounds; round++) {
          const calls = all.map((plan) => ({ plan, call: traffic.begin(plan, plan.isReading) }));
          traffic.settle();
          for (const { plan, call } of calls) {
            if (plan.fate === 'clientResets' && call.clientStream?.isClosed === false) {
              call.response.isAbandoned = true;
              call.clientStream.reset(8);
            } else if (plan.fate === 'serverResets' && call.serverStream?.isClosed === false) {
              call.request.isAbandoned = true;
              call.serverStream.reset(2);
            }
          }
          traffic.settle();
          for (const { call } of calls) call.resume();
          traffic.settle();
          for (const { call } of calls) {
            if (call.clientStream?.isClosed === false) {
              call.response.isAbandoned = true;
              call.clientStream.reset(8);
            }
          }
          traffic.settle();
          expect(traffic.leftovers).toEqual([]);
          for (const [client, server] of traffic.chain.hops) {
            expect(client.audit.connectionWindow).toBeGreaterThan(65_535 / 2);
            expect(server.audit.connectionWindow).toBeGreaterThan(65_535 / 2);
          }
        }
      }),
      { numRuns: 20 },
    );
  });

  test('comes back when the next hop breaks while content is on its way (it was lost with the connection)', () => {
    const traffic = new Traffic(1, smallWindow);
    const relay = traffic.chain.relays[0]!;
    // The request is whole here, but the next hop takes nothing.
    relay.up.block();
    const call = traffic.begin({ requestBytes: 40_000, responseBytes: 0, trailers: false });
    // What comes is the proxy's own answer.
    if (call.clientStream !== null) call.clientStream.handler = new Recorder();
    traffic.settle();
    relay.up.connection.close();
    traffic.settle();
    expect(relay.down.connection.streamCount).toBe(0);
    expect(relay.down.connection.receivedUndrainedBytes).toBe(0);
  });

  test('comes back when the caller resets a stream whose content still waits (it was lost with the queue)', () => {
    const traffic = new Traffic(1, smallWindow);
    const relay = traffic.chain.relays[0]!;
    // A write is under way and does not complete; what comes now waits in its stream.
    traffic.begin({ requestBytes: 0, responseBytes: 0, trailers: false });
    relay.down.block();
    traffic.settle();
    const call = traffic.begin({ requestBytes: 0, responseBytes: 40_000, trailers: false });
    traffic.settle();
    // The answer is whole here and its stream closed; the caller's socket has taken none of it.
    expect(relay.up.connection.streamCount).toBe(0);
    expect(relay.up.connection.receivedUndrainedBytes).toBe(40_000);
    call.response.isAbandoned = true;
    call.clientStream?.reset(8);
    traffic.settle();
    relay.down.unblock();
    traffic.settle();
    expect(traffic.leftovers).toEqual([]);
  });

  test('comes back when a whole request waited for a next hop that never came (it was lost with the exchange)', () => {
    const traffic = new Traffic(1, smallWindow);
    const relay = traffic.chain.relays[0]!;
    relay.isAway = true;
    const call = traffic.begin({ requestBytes: 40_000, responseBytes: 0, trailers: false });
    const answer = new Recorder();
    if (call.clientStream !== null) call.clientStream.handler = answer;
    traffic.settle();
    expect(relay.down.connection.receivedUndrainedBytes).toBe(40_000);
    relay.failWaiters();
    traffic.settle();
    expect(answer.heads[0]?.status).toBe(503);
    call.clientStream?.credit(answer.owed);
    expect(traffic.leftovers).toEqual([]);
  });
});
