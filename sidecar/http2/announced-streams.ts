/**
 * Tells one peer, while the connection stands, how many streams it should have open at a time. Only a sidecar of Weir is told:
 * it has other connections and callers who can wait, where anybody else would queue behind what is announced, unordered and
 * invisible. What is enforced on the connection stays as it was greeted with, so what crosses with an announcement is never
 * refused.
 */
import { SettingId } from './constants.ts';
import { writeSettings } from './frame-writer.ts';
import type { Output } from './output.ts';
import type { PeerSettings } from './settings.ts';
import type { Waits } from './waits.ts';

/** The connection, as far as this needs it. */
export interface AnnouncingConnection {
  readonly peer: PeerSettings;
  readonly output: Output;
  readonly waits: Waits;
  readonly streamCount: number;
  readonly isGoingAway: boolean;
  wantControlOutput(): void;
}

/** Between two announcements. */
export const announceEveryMs = 1000;
/** A number that falls by less is not worth a frame: it would be one a second from each limit that feels its way. */
const shrinkShare = 1 / 8;

export class AnnouncedStreams {
  private readonly connection: AnnouncingConnection;
  /** -1 = nothing but the greeting. */
  private told = -1;
  private toldMs = Number.NEGATIVE_INFINITY;

  constructor(connection: AnnouncingConnection) {
    this.connection = connection;
  }

  /** Never fewer than there are open. */
  tell(wanted: number, nowMs: number): void {
    const { connection, told } = this;
    if (!connection.peer.isWeir || connection.isGoingAway) return;
    if (nowMs - this.toldMs < announceEveryMs || !connection.waits.isSettingsAcked) return;
    const streams = Math.max(wanted, connection.streamCount);
    if (streams === told || (streams < told && streams > told * (1 - shrinkShare))) return;
    this.told = streams;
    this.toldMs = nowMs;
    writeSettings(connection.output, [[SettingId.maxConcurrentStreams, streams]]);
    connection.waits.onSettingsSent();
    connection.wantControlOutput();
  }
}
