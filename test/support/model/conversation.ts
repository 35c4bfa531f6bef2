/**
 * Two engines that talk, driven by a random list of steps, with an oracle: it knows what was sent on each stream and
 * what must have arrived. The steps are plain values, so that fast-check can shrink a failure to the few that matter.
 */
import fc from 'fast-check';
import { FrameType } from '../../../sidecar/http2/constants.ts';
import { HeaderList } from '../../../sidecar/http2/hpack/field.ts';
import { type ConnectionLimits, defaultLimits } from '../../../sidecar/http2/limits.ts';
import type { Http2Stream } from '../../../sidecar/http2/stream.ts';
import { frame } from '../wire.ts';
import { contentOf } from './content.ts';
import { MessageWitness } from './message-witness.ts';
import { type Cut, carry, ModelEnd, settleEnds } from './model-end.ts';

export type Step =
  | { readonly do: 'open'; readonly ends: boolean }
  | { readonly do: 'send'; readonly who: number; readonly bytes: number }
  | { readonly do: 'end' | 'trailers' | 'reset' | 'pause' | 'resume'; readonly who: number }
  | { readonly do: 'read'; readonly who: number; readonly bytes: number }
  | { readonly do: 'block' | 'unblock' | 'ping' | 'drain'; readonly who: number }
  | { readonly do: 'window'; readonly who: number; readonly bytes: number }
  | { readonly do: 'turn'; readonly pieces: number; readonly most: number }
  | { readonly do: 'settle' };

const who = fc.nat(63);
export const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ do: fc.constant('open' as const), ends: fc.boolean() }) },
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constant('send' as const),
        who,
        bytes: fc.oneof(fc.nat(20), fc.nat(20_000), fc.nat(200_000)),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({ do: fc.constantFrom('end', 'trailers', 'reset', 'pause', 'resume'), who }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('read' as const), who, bytes: fc.nat(100_000) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('block', 'unblock', 'ping'), who }) },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constant('window' as const),
        who,
        bytes: fc.oneof(fc.constantFrom(0, 1, 65_535), fc.nat(65_535)),
      }),
    },
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant('turn' as const),
        pieces: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 100_000 })),
        most: fc.oneof(fc.nat(2000), fc.constant(1 << 24)),
      }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('settle' as const) }) },
  ),
  { maxLength: 80, size: 'max' },
);

const request = HeaderList.of([
  [':method', 'POST'],
  [':scheme', 'http'],
  [':authority', 'shop'],
  [':path', '/'],
]);
const response = HeaderList.of([[':status', '200']]);
const trailers = HeaderList.of([['grpc-status', '0']]);

/** One direction of one stream. */
class Half {
  readonly witness: MessageWitness;
  stream: Http2Stream | null = null;
  sent = 0;
  ended = false;
  withTrailers = false;

  constructor(witness: MessageWitness) {
    this.witness = witness;
  }
}

interface Talk {
  readonly up: Half;
  readonly down: Half;
  isReset: boolean;
}

export class Conversation {
  readonly client: ModelEnd;
  readonly server: ModelEnd;
  readonly talks: Talk[] = [];
  private readonly waiting: Talk[] = [];
  private isDraining = false;

  constructor(limits: ConnectionLimits = defaultLimits) {
    this.client = new ModelEnd(false, undefined, limits);
    this.server = new ModelEnd(true, (stream, head, endStream) => this.accept(stream, head, endStream), limits);
    this.settle();
  }

  run(all: readonly Step[]): void {
    for (const step of all) this.step(step);
  }

  step(step: Step): void {
    switch (step.do) {
      case 'open':
        return this.open(step.ends);
      case 'send':
        return this.send(this.half(step.who), step.bytes);
      case 'end':
        return this.end(this.half(step.who), false);
      case 'trailers':
        return this.end(this.half(step.who), true);
      case 'reset':
        return this.reset(step.who);
      case 'pause':
      case 'resume': {
        const half = this.half(step.who);
        if (half === null) return;
        half.witness.isReading = step.do === 'resume';
        if (step.do === 'resume') half.witness.read();
        return;
      }
      case 'read':
        return this.half(step.who)?.witness.read(step.bytes);
      case 'block':
        return this.endOf(step.who).block();
      case 'unblock':
        return this.endOf(step.who).unblock();
      case 'ping':
        return this.inject(this.endOf(step.who), frame(FrameType.ping, 0, 0, '0102030405060708'));
      case 'drain':
        this.isDraining = true;
        return this.endOf(step.who).connection.drain();
      case 'window':
        return this.announceWindow(this.endOf(step.who), step.bytes);
      case 'turn':
        return this.turn(() => step.pieces, step.most);
      case 'settle':
        return this.settle();
      default: {
        const never: never = step;
        throw new Error(`no such step: ${never}`);
      }
    }
  }

  /** Opens all that is shut, lets everyone read, and looks whether all that was sent has come. */
  finish(): void {
    for (const end of [this.client, this.server]) {
      end.unblock();
      this.announceWindow(end, 65_535);
    }
    for (const { up, down } of this.talks) {
      for (const { witness } of [up, down]) {
        witness.isReading = true;
        witness.read();
      }
    }
    this.settle();
    for (const talk of this.talks) {
      if (talk.isReset) continue;
      this.arrived(talk.up);
      this.arrived(talk.down);
    }
  }

  /** Ends every stream that is still open. */
  closeAll(): void {
    this.talks.forEach((talk, at) => {
      if (talk.isReset) return;
      if (talk.up.ended) this.end(talk.down, false);
      else this.reset(at * 2);
    });
    this.settle();
  }

  /** Turns until nothing moves; a stream that could go on must have gone on (invariant 7). */
  settle(): void {
    settleEnds([[this.client, this.server]]);
    for (const { up, down } of this.talks) {
      this.wentOn(this.client, up);
      this.wentOn(this.server, down);
    }
  }

  /** One turn of both ends: whoever has data, credit and a free socket must write some of it (invariant 7). */
  turnGoesOn(): void {
    for (const end of [this.client, this.server]) {
      const before = end.audit.dataOut;
      const due = this.talks.some(({ up, down }) => {
        const { stream } = end === this.client ? up : down;
        return stream !== null && stream.queuedBytes > 0 && end.audit.sureRoomOf(stream.id) > 0;
      });
      end.turn();
      if (due && !end.isStuck && end.audit.dataOut === before) throw new Error('a turn without progress');
    }
  }

  private accept(stream: Http2Stream, head: HeaderList, endStream: boolean): void {
    // One that was reset before it left the client never comes.
    while (this.waiting[0] !== undefined && `/${this.waiting[0].up.witness.seed}` !== head.path) this.waiting.shift();
    const talk = this.waiting.shift();
    if (talk === undefined) throw new Error('a request that nobody sent');
    talk.up.witness.onHeaders(head, endStream);
    talk.up.witness.stream = stream;
    talk.down.stream = stream;
    stream.handler = talk.up.witness;
    stream.sendHeaders(response, false);
  }

  private open(ends: boolean): void {
    if (!this.client.connection.canOpenStream || this.isDraining) return;
    const seed = this.talks.length * 2 + 1;
    const talk = {
      up: new Half(new MessageWitness(seed)),
      down: new Half(new MessageWitness(seed + 1)),
      isReset: false,
    };
    const head = request.with({ set: [[':path', `/${seed}`]] });
    this.talks.push(talk);
    this.waiting.push(talk);
    talk.up.ended = ends;
    const stream = this.client.connection.request(head, ends, talk.down.witness);
    talk.up.stream = stream;
    talk.down.witness.stream = stream;
  }

  private send(half: Half | null, bytes: number): void {
    if (half === null || half.ended || half.stream === null || half.stream.isClosed) return;
    const piece = contentOf(half.witness.seed, half.sent, half.sent + bytes);
    half.sent += bytes;
    // As from a read buffer that is used again at once.
    const copy = Buffer.from(piece);
    half.stream.sendData(copy, 0, copy.length, false);
    copy.fill(0xdd);
  }

  private end(half: Half | null, withTrailers: boolean): void {
    if (half === null || half.ended || half.stream === null || half.stream.isClosed) return;
    half.ended = true;
    half.withTrailers = withTrailers;
    if (withTrailers) half.stream.sendTrailers(trailers);
    else half.stream.sendData(Buffer.alloc(0), 0, 0, true);
  }

  /** Even: by the client, odd: by the server. */
  private reset(who: number): void {
    const talk = this.talks[(who >> 1) % Math.max(1, this.talks.length)];
    if (talk === undefined) return;
    const [stream, own] = (who & 1) === 0 ? [talk.up.stream, talk.down] : [talk.down.stream, talk.up];
    if (stream === null || stream.isClosed) return;
    talk.isReset = true;
    own.witness.isAbandoned = true;
    stream.reset(8);
  }

  private half(who: number): Half | null {
    const talk = this.talks[(who >> 1) % Math.max(1, this.talks.length)];
    if (talk === undefined) return null;
    return (who & 1) === 0 ? talk.up : talk.down;
  }

  private endOf(who: number): ModelEnd {
    return (who & 1) === 0 ? this.client : this.server;
  }

  private turn(cut: Cut, most: number): void {
    this.client.turn();
    this.server.turn();
    carry(this.client, this.server, cut, most);
    carry(this.server, this.client, cut, most);
  }

  /** Behind whole frames only. */
  private inject(from: ModelEnd, bytes: Buffer): void {
    if (!from.isStuck) from.wire.push(bytes);
  }

  private announceWindow(from: ModelEnd, bytes: number): void {
    const payload = Buffer.alloc(6);
    payload.writeUInt16BE(4, 0);
    payload.writeUInt32BE(bytes, 2);
    this.inject(from, frame(FrameType.settings, 0, 0, payload));
  }

  private wentOn(sender: ModelEnd, half: Half): void {
    const { stream } = half;
    if (stream === null || stream.queuedBytes === 0 || sender.isStuck) return;
    const room = sender.audit.roomOf(stream.id);
    if (room > 0)
      throw new Error(`stream ${stream.id} has ${stream.queuedBytes} bytes and room for ${room}, but waits`);
  }

  private arrived(half: Half): void {
    const { witness } = half;
    if (witness.received !== half.sent) {
      throw new Error(`message ${witness.seed}: ${witness.received} of ${half.sent} bytes arrived`);
    }
    if (witness.ended !== (half.ended ? 1 : 0)) throw new Error(`message ${witness.seed} ended ${witness.ended} times`);
    if ((witness.trailers !== null) !== half.withTrailers) throw new Error(`message ${witness.seed}: trailers`);
    if (witness.reset !== null) throw new Error(`message ${witness.seed} was reset`);
  }
}
