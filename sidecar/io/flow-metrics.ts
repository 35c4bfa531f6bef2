/** Flow control as Prometheus series, read at the scrape. */
import { Counter, Gauge, type Registry } from 'prom-client';
import { stallScopeNames } from '../http2/flow-budget.ts';
import type { FlowReading } from '../http2/flow-view.ts';

export function defineFlowMetrics(registry: Registry, read: () => FlowReading): void {
  const registers = [registry];
  const gauge = (name: string, help: string, of: (reading: FlowReading) => number): void => {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(of(read()));
      },
    });
  };
  gauge('weir_flow_control_buffered_bytes', 'Memory that content waiting for readers pins.', (flow) => flow.usedBytes);
  gauge('weir_flow_control_buffered_bytes_peak', 'The most of it so far.', (flow) => flow.peakBytes);
  gauge('weir_flow_control_buffered_bytes_max', 'Its bound; above it the largest are let go.', (flow) => flow.capBytes);
  gauge('weir_flow_control_promised_bytes', 'What HTTP/2 peers may send without asking.', (flow) => flow.promisedBytes);
  new Counter({
    name: 'weir_flow_control_stalled_seconds_total',
    help: 'Time that streams had something to send and no credit: of their own, of their connection, of the socket.',
    labelNames: ['direction', 'scope'],
    registers,
    collect() {
      this.reset();
      const { stalledMs } = read();
      for (const [i, direction] of ['downstream', 'upstream'].entries()) {
        for (const [j, scope] of stallScopeNames.entries()) {
          this.inc({ direction, scope }, stalledMs[i * stallScopeNames.length + j]! / 1000);
        }
      }
    },
  });
  new Counter({
    name: 'weir_flow_control_ended_total',
    help: 'Streams and connections ended: for memory, the largest first, or for their stall timeout.',
    labelNames: ['what', 'cause'],
    registers,
    collect() {
      this.reset();
      const { streamsLetGo, connectionsLetGo, stallResets } = read();
      this.inc({ what: 'stream', cause: 'memory' }, streamsLetGo);
      this.inc({ what: 'connection', cause: 'memory' }, connectionsLetGo);
      this.inc({ what: 'stream', cause: 'stall' }, stallResets);
    },
  });
  new Counter({
    name: 'weir_flow_control_window_growths_total',
    help: 'Windows that were doubled because their stream was drained as fast as it came.',
    registers,
    collect() {
      this.reset();
      this.inc(read().windowGrowths);
    },
  });
}
