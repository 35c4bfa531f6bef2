/**
 * How many streams at a time a caller's sidecar may have open toward a service: as many as its limits and queues have room
 * for, the most of the last second, so that a limit which feels its way down for a moment takes nothing from anybody. It is a
 * backstop behind queue and levels, which refuse in order of importance, and so never less than they have room for.
 */

/** Fewer would make callers open connections instead. */
export const streamsFloor = 16;
const windowMs = 1000;

export class StreamAllowance {
  /** As of the last whole second. */
  private streams: number;
  private readonly streamsMax: number;
  private most = 0;
  private endsMs = Number.NEGATIVE_INFINITY;

  /** `streamsMax`: what is enforced on a connection, and announced where nothing has a limit. */
  constructor(streamsMax: number) {
    this.streamsMax = streamsMax;
    this.streams = streamsMax;
  }

  /** `room`: of the limits in force, Infinity where something has none. Ask a few times a second. */
  streamsFor(room: number, nowMs: number): number {
    this.most = Math.max(this.most, room);
    if (nowMs >= this.endsMs) {
      this.streams = Math.min(this.streamsMax, Math.max(streamsFloor, Math.ceil(this.most)));
      this.most = room;
      this.endsMs = nowMs + windowMs;
    }
    return this.streams;
  }
}
