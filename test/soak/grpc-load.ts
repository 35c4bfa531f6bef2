/** gRPC calls of every kind by grpc-js, at a bounded rate; clients are replaced every few seconds. */
import { setTimeout as delay } from 'node:timers/promises';
import * as grpc from '@grpc/grpc-js';
import type { Random } from '../../proto/kernel/random.ts';
import { type EchoClient, echoClient, spreadChunks } from '../support/echo-service.ts';
import type { Tally } from './tally.ts';

const tickMs = 100;
const clientLifeMs = 7_000;
/** Nothing that is meant to end in order takes longer. */
const callDeadlineMs = 30_000;

export class GrpcLoad {
  private readonly address: string;
  private readonly tally: Tally;
  private readonly random: Random;
  private client: EchoClient;
  private clientSinceMs = performance.now();
  private ticker: NodeJS.Timeout | null = null;
  private ticks = 0;

  constructor(address: string, tally: Tally, random: Random) {
    this.address = address;
    this.tally = tally;
    this.random = random;
    this.client = echoClient(address);
  }

  start(): void {
    this.ticker = setInterval(() => this.tick(), tickMs);
  }

  stop(): void {
    if (this.ticker !== null) clearInterval(this.ticker);
    this.ticker = null;
  }

  close(): void {
    this.client.close();
  }

  private tick(): void {
    this.ticks++;
    if (performance.now() - this.clientSinceMs > clientLifeMs) {
      // Calls that are under way go on with the old one.
      this.client.close();
      this.client = echoClient(this.address);
      this.clientSinceMs = performance.now();
    }
    const { client, tally, ticks } = this;
    for (let i = 0; i < 4; i++) tally.start('unary', () => this.unary(client));
    if (ticks % 2 === 0) tally.start('collect', () => this.collect(client));
    if (ticks % 3 === 0) tally.start('talk', () => this.talk(client));
    if (ticks % 5 === 0) tally.start('spread', () => this.spread(client, 300, 0));
    if (ticks % 10 === 0) tally.start('slow spread', () => this.spread(client, 2000, 1));
    if (ticks % 3 === 1) tally.start('cancel', () => this.cancel(client));
    if (ticks % 5 === 1) tally.start('deadline', () => this.deadline(client));
    if (ticks % 10 === 1) tally.start('abandoned stream', () => this.abandon(client));
    if (ticks % 5 === 2) tally.start('fail', () => this.fail(client));
  }

  private options(): grpc.CallOptions {
    return { deadline: Date.now() + callDeadlineMs };
  }

  private unary(client: EchoClient): Promise<'ok'> {
    const data = Buffer.alloc(Math.floor(this.random.next() ** 3 * 60_000), 'u');
    const metadata = new grpc.Metadata();
    metadata.set('x-echo', String(this.random.next()));
    return new Promise((resolve, reject) => {
      client.unary({ data }, metadata, this.options(), (error, answer) => {
        if (error !== null) reject(error);
        else if (answer?.data.length !== data.length) reject(new Error('another length came back'));
        else resolve('ok');
      });
    });
  }

  private fail(client: EchoClient): Promise<'broken'> {
    return new Promise((resolve, reject) => {
      client.fail({ data: Buffer.alloc(0) }, (error) => {
        if (error?.code === grpc.status.NOT_FOUND) resolve('broken');
        else reject(error ?? new Error('it succeeded'));
      });
    });
  }

  private collect(client: EchoClient): Promise<'ok'> {
    const [parts, bytes] = [20, 2000];
    return new Promise((resolve, reject) => {
      const call = client.collect((error, answer) => {
        if (error !== null) reject(error);
        else if (answer?.data.length !== parts * bytes) reject(new Error('another length came back'));
        else resolve('ok');
      });
      for (let i = 0; i < parts; i++) call.write({ data: Buffer.alloc(bytes, i) });
      call.end();
    });
  }

  private talk(client: EchoClient): Promise<'ok'> {
    const turns = 8;
    return new Promise((resolve, reject) => {
      const call = client.talk();
      let heard = 0;
      call.on('error', reject);
      call.on('data', () => {
        heard++;
        if (heard < turns) call.write({ data: Buffer.from(`turn ${heard}`) });
        else call.end();
      });
      call.on('end', () => (heard === turns ? resolve('ok') : reject(new Error(`${heard} turns`))));
      call.write({ data: Buffer.from('turn 0') });
    });
  }

  /** `pauses`: how often the reader stops reading for a while. */
  private async spread(client: EchoClient, bytes: number, pauses: number): Promise<'ok'> {
    let received = 0;
    let rests = pauses;
    for await (const _chunk of client.spread({ data: lengthOf(bytes) })) {
      received++;
      if (rests > 0 && received % 200 === 0) {
        rests--;
        await delay(1500);
      }
    }
    if (received !== spreadChunks) throw new Error(`${received} of ${spreadChunks} chunks`);
    return 'ok';
  }

  private cancel(client: EchoClient): Promise<'broken'> {
    return new Promise((resolve, reject) => {
      const call = client.hang({ data: Buffer.alloc(0) }, new grpc.Metadata(), this.options(), (error) => {
        if (error?.code === grpc.status.CANCELLED) resolve('broken');
        else reject(error ?? new Error('it succeeded'));
      });
      setTimeout(() => call.cancel(), this.random.next() * 300);
    });
  }

  private deadline(client: EchoClient): Promise<'broken'> {
    return new Promise((resolve, reject) => {
      client.hang({ data: Buffer.alloc(0) }, new grpc.Metadata(), { deadline: Date.now() + 200 }, (error) => {
        if (error?.code === grpc.status.DEADLINE_EXCEEDED) resolve('broken');
        else reject(error ?? new Error('it succeeded'));
      });
    });
  }

  /** A stream of 8 MiB that nobody reads, and that is given up after a while. */
  private abandon(client: EchoClient): Promise<'broken'> {
    return new Promise((resolve, reject) => {
      const call = client.spread({ data: lengthOf(8192) });
      call.on('error', (error: grpc.ServiceError) => {
        if (error.code === grpc.status.CANCELLED) resolve('broken');
        else reject(error);
      });
      call.pause();
      setTimeout(() => {
        call.cancel();
        call.resume();
      }, 1000);
    });
  }
}

function lengthOf(bytes: number): Buffer {
  const request = Buffer.alloc(4);
  request.writeUInt32BE(bytes);
  return request;
}
