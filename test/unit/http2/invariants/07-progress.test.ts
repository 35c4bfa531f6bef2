/**
 * Invariant 7: data + credit + socket space ⇒ progress within one turn of the loop. `Conversation.settle` holds every
 * stream to it at rest; here it is held at every single turn, and in the case that once stalled.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HeaderList } from '../../../../sidecar/http2/hpack/field.ts';
import { Conversation, steps } from '../../../support/model/conversation.ts';
import { MessageWitness } from '../../../support/model/message-witness.ts';
import { ModelEnd, settleEnds } from '../../../support/model/model-end.ts';

const post = HeaderList.of([
  [':method', 'POST'],
  [':scheme', 'http'],
  [':authority', 'a'],
  [':path', '/'],
]);

describe('a connection', () => {
  test('asks for another write when output came during one (it stalled for good)', () => {
    const client = new ModelEnd(false);
    const server = new ModelEnd(true, (stream) => {
      stream.handler = new MessageWitness(1);
    });
    settleEnds([[client, server]]);
    const stream = client.connection.request(post, false, new MessageWitness(2));
    client.block();
    // The write of the head does not complete; what comes now waits for it.
    expect(client.turn()).toBe(true);
    stream.sendData(Buffer.alloc(10), 0, 10, false);
    expect(client.turn()).toBe(false);
    expect(stream.queuedBytes).toBe(10);
    client.unblock();
    expect(client.turn()).toBe(true);
    expect(stream.queuedBytes).toBe(0);
  });

  test('sends its GOAWAY also when it fails during a write', () => {
    const server = new ModelEnd(true);
    server.block();
    server.turn();
    server.arrive(Buffer.from('not a preface'));
    expect(server.fatal).not.toBeNull();
    server.unblock();
    expect(server.turn()).toBe(true);
    expect(server.audit.isFatal).toBe(true);
  });

  test('writes data in the very next turn when there is data, credit and room', () => {
    fc.assert(
      fc.property(steps, (all) => {
        const conversation = new Conversation();
        for (const step of all) {
          conversation.step(step);
          conversation.turnGoesOn();
        }
      }),
      { numRuns: 50 },
    );
  });
});
