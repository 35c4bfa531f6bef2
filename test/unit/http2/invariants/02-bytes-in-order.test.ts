/**
 * Invariant 2: the bytes of each stream come out identical and in order, and END_STREAM exactly once, iff it was sent.
 * Under it, on the wire, the laws of EndAudit (3, 11, 12) hold as well.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Conversation, steps } from '../../../support/model/conversation.ts';

test('every stream delivers what was sent on it, whole and in order, and ends once or not at all', () => {
  fc.assert(
    fc.property(steps, (all) => {
      const conversation = new Conversation();
      conversation.run(all);
      conversation.finish();
      expect(conversation.client.fatal).toBeNull();
      expect(conversation.server.fatal).toBeNull();
    }),
    { numRuns: 75 },
  );
});
