/** Records the requests that arrived for the app, besides what else is said about requests. */
import type { Observer, RequestView, Side } from '../exchange/context.ts';
import type { TrafficRecording } from '../exchange/traffic-recording.ts';
import { clock } from './clock.ts';

export class Recorder implements Observer {
  private readonly recording: TrafficRecording;
  private readonly next: Observer;

  constructor(recording: TrafficRecording, next: Observer) {
    this.recording = recording;
    this.next = next;
  }

  onSettled(request: RequestView, side: Side, outcome: number, reason: number): void {
    if (side.name === 'inbound') this.recording.record(request, outcome, reason, clock.nowMs);
    this.next.onSettled(request, side, outcome, reason);
  }
}
