/**
 * What is used again is as new: an exchange, an attempt and a stream that served a request equal ones that never did,
 * field by field, so that nothing of one request shows in another; and only what nobody holds any more is used again.
 * The invariants of test/unit/http2/invariants run over recycled objects too.
 */
import { describe, expect, it } from 'vitest';
import { Pool } from '../../../proto/kernel/pool.ts';
import { Attempt, type AttemptOwner, idleAttempts } from '../../../sidecar/exchange/attempt.ts';
import { Exchange } from '../../../sidecar/exchange/exchange.ts';
import { idleExchanges } from '../../../sidecar/exchange/recycling.ts';
import { HeaderList } from '../../../sidecar/http2/hpack/field.ts';
import { Http2Stream, idleStreams, openStream, type StreamOwner } from '../../../sidecar/http2/stream.ts';
import { Relay } from '../../support/model/relay.ts';
import { Traffic } from '../../support/model/traffic.ts';
import { FakeStream } from './retry-rig.ts';

/** Every field that an object of this kind has and `given` does not name, after all were spoilt and then cleared. */
function fieldsAfterClear(used: object, given: readonly string[]): Record<string, unknown> {
  const names = Object.keys(used).filter((name) => !given.includes(name));
  for (const name of names) Reflect.set(used, name, 'spoilt');
  const clear: unknown = Reflect.get(used, 'clear');
  if (typeof clear !== 'function') throw new Error('it has no clear()');
  Reflect.apply(clear, used, []);
  return Object.fromEntries(names.map((name) => [name, Reflect.get(used, name)]));
}

function fieldsOf(fresh: object, given: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fresh).filter(([name]) => !given.includes(name)));
}

const owner: StreamOwner = {
  sendHeaders() {},
  sendData() {},
  sendTrailers() {},
  resetStream() {},
  creditStream() {},
};

describe('as new is', () => {
  it('an exchange', () => {
    const { context, side } = new Relay();
    const make = (): Exchange => new Exchange(context, side, new FakeStream(), HeaderList.of([]));
    const given = ['pool', 'context', 'side', 'down', 'head', 'protocol', 'peerAddress', 'peerIdentity'];
    // Set when a request comes; those of the wheel are the wheel's; these two are emptied before an exchange ends.
    given.push('startedMs', 'endedMs', 'bytes', 'timerNext', 'timerPrev', 'timerList', 'timerTick', 'atMs');
    given.push('held', 'replay', 'tries', 'standIn', 'stoodMs');
    expect(fieldsAfterClear(make(), given)).toEqual(fieldsOf(make(), given));
  });

  it('an attempt', () => {
    const { context, side } = new Relay();
    const exchange: AttemptOwner = new Exchange(context, side, new FakeStream(), HeaderList.of([]));
    const given = ['owner', 'toDown', 'startedMs', 'shaping', 'moves', 'resends'];
    expect(fieldsAfterClear(new Attempt(exchange), given)).toEqual(fieldsOf(new Attempt(exchange), given));
  });

  it('a stream, dead until it is opened again', () => {
    const given = ['id', 'owner', 'sendWindow', 'receiveWindow', 'windowBytes', 'isDead', 'isListed', 'held'];
    given.push('unwritten', 'isScheduled');
    const used = new Http2Stream(1, owner, 65_535, 65_535);
    expect(fieldsAfterClear(used, given)).toEqual(fieldsOf(new Http2Stream(1, owner, 65_535, 65_535), given));
    expect(used.isClosed).toBe(true);
    used.open(3, owner, 10, 20);
    expect(used).toEqual(new Http2Stream(3, owner, 10, 20));
  });
});

const drained = <T>(pool: Pool<T>): T[] => {
  const items: T[] = [];
  for (let item = pool.take(); item !== undefined; item = pool.take()) items.push(item);
  return items;
};

const empty = (): void => {
  drained(idleExchanges);
  drained(idleAttempts);
  drained(idleStreams);
};
const idle = (): number[] => [idleExchanges.size, idleAttempts.size, idleStreams.size];
const plan = { requestBytes: 3000, responseBytes: 0, trailers: true };

describe('a request through a proxy', () => {
  it('leaves its exchange, its attempt and both streams to the next one', () => {
    empty();
    const traffic = new Traffic(1);
    const first = traffic.begin(plan);
    traffic.settle();
    expect([first.isComplete, idle()]).toEqual([true, [1, 1, 2]]);
    const second = traffic.begin({ ...plan, requestBytes: 5000 });
    traffic.settle();
    expect([second.isComplete, idle(), traffic.leftovers]).toEqual([true, [1, 1, 2], []]);
  });

  it('that its caller resets leaves nothing: somebody may still hold what was made for it', () => {
    empty();
    const traffic = new Traffic(1);
    const call = traffic.begin({ ...plan, requestBytes: 200_000 }, false);
    traffic.settle();
    call.clientStream!.reset(8);
    traffic.settle();
    expect(idle()).toEqual([0, 0, 0]);
  });

  it('leaves a stream only when its last byte was credited: not while its reader reads nothing', () => {
    empty();
    const traffic = new Traffic(1);
    const call = traffic.begin({ requestBytes: 3000, responseBytes: 300_000, trailers: false }, false);
    traffic.settle();
    const before = idle();
    call.resume();
    traffic.settle();
    expect([before, call.isComplete, idle()]).toEqual([[0, 0, 0], true, [1, 1, 2]]);
  });
});

describe('a stream is not used again', () => {
  const closed = (): Http2Stream => {
    const stream = openStream(1, owner, 65_535, 65_535);
    stream.localClosed = true;
    stream.remoteClosed = true;
    return stream;
  };

  it.each([
    ['while its connection lists it', { isListed: true }],
    ['while bytes of it are held', { held: 1 }],
    ['while bytes of it are on their way', { unwritten: 1 }],
    ['while it waits for its turn', { isScheduled: true }],
    ['when it was reset', { isDead: true }],
  ])('%s', (_when, state) => {
    empty();
    const stream = Object.assign(closed(), state);
    stream.release();
    expect(idleStreams.size).toBe(0);
  });

  it('before its handler has released it', () => {
    empty();
    const stream = closed();
    stream.retire();
    expect(idleStreams.size).toBe(0);
    stream.release();
    expect(idleStreams.size).toBe(1);
  });

  it('twice, however often it is let go', () => {
    empty();
    const stream = closed();
    stream.release();
    stream.retire();
    stream.release();
    expect(idleStreams.size).toBe(1);
    expect(openStream(3, owner, 10, 20)).toEqual(new Http2Stream(3, owner, 10, 20));
  });
});

it('a pool keeps no more than its bound', () => {
  const pool = new Pool<number>(2);
  for (const item of [1, 2, 3]) pool.give(item);
  expect(drained(pool)).toEqual([2, 1]);
});
