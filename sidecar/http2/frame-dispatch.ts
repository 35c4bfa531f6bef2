/**
 * Which part of the connection each frame is for, and what may come at all at this moment (RFC 9113 §3.4, §6.10).
 */
import { ErrorCode, FrameType } from './constants.ts';
import type { ControlFrames } from './control-frames.ts';
import type { FrameSink } from './frame-reader.ts';
import type { MessageFrames } from './message-frames.ts';

export interface DispatchTarget {
  readonly isReading: boolean;
  readonly peerSettingsSeen: boolean;
  fail(code: number, detail: string): void;
}

export class FrameDispatch implements FrameSink {
  private readonly target: DispatchTarget;
  private readonly messages: MessageFrames;
  private readonly control: ControlFrames;

  constructor(target: DispatchTarget, messages: MessageFrames, control: ControlFrames) {
    this.target = target;
    this.messages = messages;
    this.control = control;
  }

  get isReading(): boolean {
    return this.target.isReading;
  }

  onFrame(type: number, flags: number, streamId: number, buf: Buffer, start: number, end: number): void {
    if (this.messages.isInHeaderBlock && type !== FrameType.continuation) {
      return this.target.fail(ErrorCode.protocolError, 'frame inside a header block');
    }
    if (!this.target.peerSettingsSeen && type !== FrameType.settings) {
      return this.target.fail(ErrorCode.protocolError, 'first frame is not SETTINGS');
    }
    switch (type) {
      case FrameType.headers:
        return this.messages.onHeaders(flags, streamId, buf, start, end);
      case FrameType.windowUpdate:
        return this.control.onWindowUpdate(streamId, buf, start, end);
      case FrameType.rstStream:
        return this.control.onRstStream(streamId, buf, start, end);
      case FrameType.settings:
        return this.control.onSettings(flags, streamId, buf, start, end);
      case FrameType.ping:
        return this.control.onPing(flags, streamId, buf, start, end);
      case FrameType.continuation:
        return this.messages.onContinuation(flags, streamId, buf, start, end);
      case FrameType.goaway:
        return this.control.onGoaway(streamId, buf, start, end);
      case FrameType.priority:
        return this.control.onPriority(streamId, buf, start, end);
      case FrameType.pushPromise:
        return this.target.fail(ErrorCode.protocolError, 'PUSH_PROMISE is disabled');
      default:
        return this.control.onUnknown(type);
    }
  }

  onData(
    streamId: number,
    flags: number,
    buf: Buffer,
    start: number,
    end: number,
    flowBytes: number,
    last: boolean,
  ): void {
    this.messages.onData(streamId, flags, buf, start, end, flowBytes, last);
  }

  onFrameError(code: number, detail: string): void {
    this.target.fail(code, detail);
  }
}
