/**
 * What the policy's `flowControl` puts between the two streams of an exchange, one chain for each direction; without it
 * there is nothing between them.
 *
 *   request   caller's stream ──▶ Pacer ──▶ StallWatch ──▶ upstream's stream
 *   response  upstream's stream ──▶ Pacer ──▶ StallWatch ──▶ caller's stream      credit goes the other way round
 */
import type { FlowSettings, PaceSettings } from '../policy/compiled.ts';
import type { ExchangeContext } from './context.ts';
import type { ContentSink, HttpStream } from './http-stream.ts';
import { Pacer } from './pacer.ts';
import { StallWatch } from './stall-watch.ts';

export interface StreamFlowOptions {
  readonly context: ExchangeContext;
  readonly settings: FlowSettings;
  readonly isGrpc: boolean;
  readonly down: HttpStream;
  readonly up: HttpStream;
  readonly onStalled: () => void;
}

export class StreamFlow {
  readonly toUp: ContentSink;
  readonly toDown: ContentSink;
  private readonly parts: { stop(): void }[] = [];

  constructor(options: StreamFlowOptions) {
    const { settings, down, up } = options;
    if (settings.windowBytesMax > 0) {
      down.limitWindow?.(settings.windowBytesMax);
      up.limitWindow?.(settings.windowBytesMax);
    }
    this.toUp = this.chain(options, settings.requestPace, down, up);
    this.toDown = this.chain(options, settings.responsePace, up, down);
  }

  /** Nothing more goes on, in either direction. */
  stop(): void {
    for (const part of this.parts) part.stop();
  }

  private chain(options: StreamFlowOptions, pace: PaceSettings | null, from: HttpStream, to: HttpStream): ContentSink {
    const { context, settings, isGrpc, onStalled } = options;
    const { clock, wheel, budget } = context;
    let sink: ContentSink = to;
    if (settings.stallTimeoutMs > 0) {
      const watch = new StallWatch({ clock, wheel, timeoutMs: settings.stallTimeoutMs, sink, source: from, onStalled });
      to.source = watch;
      this.parts.push(watch);
      sink = watch;
    }
    if (pace !== null) {
      const pacer = new Pacer({ clock, wheel, budget, settings: pace, isGrpc, sink });
      this.parts.push(pacer);
      sink = pacer;
    }
    return sink;
  }
}
