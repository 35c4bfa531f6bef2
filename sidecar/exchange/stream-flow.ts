/**
 * What the policy's `flowControl` puts between the two streams of an exchange, one chain for each direction; without it
 * there is nothing between them. In front of a pacer may stand a MessageDropper, which takes all that comes.
 *
 *   request   caller's stream ──▶ Pacer ──▶ StallWatch ──▶ upstream's stream
 *   response  upstream's stream ──▶ Pacer ──▶ StallWatch ──▶ caller's stream      credit goes the other way round
 */
import { Tier } from '../../proto/tiers.ts';
import type { CreditSource } from '../http2/stream.ts';
import type { FlowSettings } from '../policy/compiled.ts';
import type { ExchangeContext } from './context.ts';
import type { ContentSink, HttpStream } from './http-stream.ts';
import { MessageDropper } from './message-dropper.ts';
import { DropCounts } from './message-drops.ts';
import { Pacer } from './pacer.ts';
import { StallWatch } from './stall-watch.ts';
import type { TrafficStats } from './traffic-stats.ts';

export interface StreamFlowOptions {
  readonly context: ExchangeContext;
  readonly settings: FlowSettings;
  readonly isGrpc: boolean;
  readonly tier: number;
  /** Where dropped messages are counted. */
  readonly traffic: TrafficStats;
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
    this.toUp = this.chain(options, 0, down, up);
    this.toDown = this.chain(options, 1, up, down);
  }

  /** Nothing more goes on, in either direction. */
  stop(): void {
    for (const part of this.parts) part.stop();
  }

  /** `content`: 0 the request's, 1 the response's. */
  private chain(options: StreamFlowOptions, content: 0 | 1, from: HttpStream, to: HttpStream): ContentSink {
    const { context, settings, isGrpc, onStalled } = options;
    const { clock, wheel, budget } = context;
    const pace = content === 0 ? settings.requestPace : settings.responsePace;
    let sink: ContentSink = to;
    let source: CreditSource = from;
    const dropper = this.dropper(options, content, from, to);
    if (dropper !== null) {
      to.source = dropper;
      this.parts.push(dropper);
      source = dropper;
    }
    if (settings.stallTimeoutMs > 0) {
      const watch = new StallWatch({ clock, wheel, timeoutMs: settings.stallTimeoutMs, sink, source, onStalled });
      to.source = watch;
      this.parts.push(watch);
      sink = watch;
    }
    if (pace !== null) {
      const pacer = new Pacer({ clock, wheel, budget, settings: pace, isGrpc, sink });
      this.parts.push(pacer);
      sink = pacer;
    }
    if (dropper === null) return sink;
    dropper.sink = sink;
    return dropper;
  }

  /** Only gRPC has messages, and what is critical loses none. */
  private dropper(
    { context, settings, isGrpc, tier, traffic }: StreamFlowOptions,
    content: 0 | 1,
    source: HttpStream,
    sink: HttpStream,
  ): MessageDropper | null {
    const overflow = content === 0 ? settings.requestOverflow : settings.responseOverflow;
    if (overflow === null || !isGrpc || tier === Tier.critical) return null;
    const { shadow } = settings;
    const counts = new DropCounts(traffic, content, shadow);
    return new MessageDropper({ budget: context.budget, settings: overflow, shadow, counts, source, sink });
  }
}
