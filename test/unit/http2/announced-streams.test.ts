/** What a connection tells its peer about concurrent streams while it stands: to whom, how often, and never too little. */
import { describe, expect, test } from 'vitest';
import { AnnouncedStreams } from '../../../sidecar/http2/announced-streams.ts';
import { FrameType, SettingId } from '../../../sidecar/http2/constants.ts';
import { HeaderList } from '../../../sidecar/http2/hpack/field.ts';
import { defaultLimits } from '../../../sidecar/http2/limits.ts';
import { greetingTo } from '../../support/model/hostile-frames.ts';
import { framesOf, Peer, Recorder, settle } from '../../support/wire.ts';

const request = HeaderList.of([
  [':method', 'GET'],
  [':scheme', 'http'],
  [':path', '/'],
  [':authority', 'a'],
]);

function pair(): { client: Peer; server: Peer; announced: AnnouncedStreams } {
  const [client, server] = [new Peer(false), new Peer(true)];
  settle(client, server);
  return { client, server, announced: new AnnouncedStreams(server.connection) };
}

/** What it announces in the frames that it wants to write now. */
function announcedIn(bytes: Buffer): number[] {
  return framesOf(bytes)
    .filter(({ type, flags }) => type === FrameType.settings && flags === 0)
    .map(({ payload }) => {
      expect([payload.length, payload.readUInt16BE(0)]).toEqual([6, SettingId.maxConcurrentStreams]);
      return payload.readUInt32BE(2);
    });
}

describe('AnnouncedStreams', () => {
  test('tells a sidecar, which then opens no more, and enforces what the greeting said', () => {
    const { client, server, announced } = pair();
    expect(client.connection.streamsMax).toBe(defaultLimits.upstreamStreamsMax);
    announced.tell(40, 0);
    settle(client, server);
    expect(client.connection.streamsMax).toBe(40);
    for (let i = 0; i < 50; i++) client.connection.request(request, true, new Recorder());
    expect(client.connection.canOpenStream).toBe(false);
    settle(client, server);
    expect(server.requests).toHaveLength(50);
    expect([server.limits, client.fatal, server.fatal]).toEqual([[], null, null]);
  });

  test('tells nobody else', () => {
    const server = new Peer(true);
    const announced = new AnnouncedStreams(server.connection);
    server.take();
    announced.tell(40, 0);
    // Nothing is known of the peer yet; then it is a client like any other.
    expect(server.take().length).toBe(0);
    server.receive(greetingTo(true));
    server.take();
    announced.tell(40, 2000);
    expect(server.take().length).toBe(0);
  });

  test('speaks at most once a second, and not before it was heard', () => {
    const { client, server, announced } = pair();
    announced.tell(40, 0);
    const first = server.take();
    expect(announcedIn(first)).toEqual([40]);
    announced.tell(60, 1500);
    expect(server.take().length).toBe(0);
    client.receive(first);
    settle(client, server);
    announced.tell(60, 1500);
    expect(announcedIn(server.take())).toEqual([60]);
    announced.tell(70, 2499);
    expect(server.take().length).toBe(0);
  });

  test('says when it is more, and when it is less by an eighth', () => {
    const { client, server, announced } = pair();
    const said: number[] = [];
    for (const [i, streams] of [80, 81, 75, 71, 70, 70, 80].entries()) {
      announced.tell(streams, i * 1000);
      const bytes = server.take();
      said.push(...announcedIn(bytes));
      client.receive(bytes);
      settle(client, server);
    }
    expect(said).toEqual([80, 81, 70, 80]);
  });

  test('never says less than are open', () => {
    const { client, server, announced } = pair();
    for (let i = 0; i < 30; i++) client.connection.request(request, true, new Recorder());
    settle(client, server);
    announced.tell(16, 0);
    expect(announcedIn(server.take())).toEqual([30]);
  });
});
