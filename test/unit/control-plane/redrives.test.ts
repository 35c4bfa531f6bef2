/** Dead letters sent again at a rate, over streams in memory and time moved by hand. */
import { describe, expect, it } from 'vitest';
import type { Audit } from '../../../control-plane/service/audit.ts';
import { BusError } from '../../../control-plane/service/bus.ts';
import { DeadLetters } from '../../../control-plane/service/dead-letters.ts';
import type { MessageStore, StoredMessage } from '../../../control-plane/service/message-store.ts';
import { Redrives } from '../../../control-plane/service/redrives.ts';
import { encodeParked, parkedHeader } from '../../../proto/parked.ts';
import { parkedRequest } from '../../support/parked-request.ts';

class MemoryStore implements MessageStore {
  readonly messages = new Map<number, StoredMessage>();
  isFull = false;
  private last = 0;

  async next(from: number, subject: string): Promise<StoredMessage | undefined> {
    return [...this.messages.values()].find((one) => one.sequence >= from && one.subject === subject);
  }

  async get(sequence: number): Promise<StoredMessage | undefined> {
    return this.messages.get(sequence);
  }

  async delete(sequence: number): Promise<boolean> {
    return this.messages.delete(sequence);
  }

  async purge(): Promise<number> {
    return 0;
  }

  async counts(): Promise<ReadonlyMap<string, number>> {
    return new Map();
  }

  async lastSequence(): Promise<number> {
    return this.last;
  }

  async put(subject: string, data: Uint8Array, headers: Readonly<Record<string, string>>): Promise<void> {
    if (this.isFull) throw new BusError('full', 'maximum messages exceeded');
    this.last++;
    this.messages.set(this.last, { sequence: this.last, subject, data, header: (name) => headers[name] ?? '' });
  }
}

async function rigOf(letters: number) {
  const clock = { now: 0, nowMs: () => clock.now, wallMs: () => clock.now };
  const retry = new MemoryStore();
  const dead = new MemoryStore();
  const recorded: string[] = [];
  const audit: Pick<Audit, 'record'> = { record: (subject) => recorded.push(subject) };
  for (let i = 0; i < letters; i++) {
    await dead.put('weir.dlq.shop.pay', Buffer.from(String(i)), { [parkedHeader]: encodeParked(parkedRequest) });
  }
  const redrives = new Redrives(new DeadLetters({ retry, dead, audit, clock }), clock);
  /** Several ticks a second, each with what it began. */
  const pass = async (ms: number): Promise<void> => {
    for (const endMs = clock.now + ms; clock.now < endMs; ) {
      clock.now += 100;
      redrives.tick();
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  return { clock, retry, dead, recorded, redrives, pass };
}

const start = { target: 'shop/pay', ratePerSecond: 10, limit: 1000, by: 'somebody' };

describe('Redrives', () => {
  it('move no more than their rate, the first at once, and end with what was there', async () => {
    const { retry, dead, redrives, pass, recorded } = await rigOf(30);
    expect(await redrives.start(start)).toMatchObject({ state: 'running', moved: 0 });
    await pass(1000);
    expect(retry.messages.size).toBeGreaterThanOrEqual(10);
    expect(retry.messages.size).toBeLessThanOrEqual(11);
    // It dies again meanwhile, and is left alone.
    await dead.put('weir.dlq.shop.pay', Buffer.from('again'), { [parkedHeader]: encodeParked(parkedRequest) });
    await pass(3000);
    expect([retry.messages.size, dead.messages.size, redrives.get('shop/pay')?.state]).toEqual([30, 1, 'done']);
    expect(recorded).toEqual(['weir.ev.dead-letters.shop.pay']);
  });

  it('are no burst after a pause of ours', async () => {
    const { clock, retry, redrives, pass } = await rigOf(100);
    await redrives.start(start);
    clock.now += 60_000;
    await pass(100);
    expect(retry.messages.size).toBeLessThanOrEqual(10);
  });

  it('lose nothing when the queue is full, and go on when it has room', async () => {
    const { retry, dead, redrives, pass } = await rigOf(5);
    retry.isFull = true;
    await redrives.start(start);
    await pass(2000);
    expect([dead.messages.size, redrives.get('shop/pay')]).toEqual([
      5,
      expect.objectContaining({ state: 'running', moved: 0, problem: 'maximum messages exceeded' }),
    ]);
    retry.isFull = false;
    await pass(3000);
    expect([dead.messages.size, retry.messages.size, redrives.get('shop/pay')?.state]).toEqual([0, 5, 'done']);
  });

  it('are one for a service at once, stop at their limit, and when they are told to', async () => {
    const { retry, redrives, pass } = await rigOf(20);
    await redrives.start({ ...start, limit: 3 });
    expect(await redrives.start(start)).toBeUndefined();
    await pass(2000);
    expect([retry.messages.size, redrives.get('shop/pay')?.state]).toEqual([3, 'done']);
    await redrives.start({ ...start, ratePerSecond: 1 });
    await pass(100);
    expect(redrives.stop('shop/pay')?.state).toBe('stopped');
    await pass(5000);
    expect(retry.messages.size).toBe(4);
  });
});
