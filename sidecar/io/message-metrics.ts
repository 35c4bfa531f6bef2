/** gRPC messages that a policy drops for slow readers, by target. */
import type { Registry } from 'prom-client';
import { contentNames, dropCauseNames } from '../exchange/message-drops.ts';
import type { TrafficStats } from '../exchange/traffic-stats.ts';
import { seriesIn } from './series.ts';

export function defineMessageMetrics(registry: Registry, traffic: () => Iterable<TrafficStats>): void {
  const series = seriesIn(registry);
  const drops = (name: string, help: string, countsOf: (stats: TrafficStats) => Float64Array): void =>
    series.counter(name, help, ['direction', 'upstream', 'content', 'cause'], (into) => {
      for (const stats of traffic()) {
        for (const [at, count] of countsOf(stats).entries()) {
          if (count === 0) continue;
          const content = contentNames[Math.floor(at / dropCauseNames.length)]!;
          const cause = dropCauseNames[at % dropCauseNames.length]!;
          into.inc({ direction: stats.direction, upstream: stats.peer, content, cause }, count);
        }
      }
    });
  drops(
    'weir_messages_dropped_total',
    'gRPC messages that a policy dropped for slow readers: the oldest, the newest, or for want of memory.',
    (stats) => stats.messagesDropped,
  );
  drops(
    'weir_messages_would_drop_total',
    'The same in shadow mode: counted, not dropped.',
    (stats) => stats.messagesWouldDrop,
  );
}
