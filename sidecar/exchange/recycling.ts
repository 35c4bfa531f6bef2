/**
 * Where requests that came in over a listener begin. Their exchanges are used again, since nobody but their streams holds
 * them: with ten thousand under way, what is made for each outlives the collector's nursery, and the garbage of a second
 * is then several times what is in use.
 */
import { Pool } from '../../proto/kernel/pool.ts';
import type { HeaderList } from '../http2/hpack/field.ts';
import type { ExchangeContext, Side } from './context.ts';
import { Exchange } from './exchange.ts';
import type { HttpStream } from './http-stream.ts';
import type { Peer } from './peer.ts';

/** Two and a half MB of exchanges that wait for their next use. */
const idleExchangesMax = 4096;
export const idleExchanges = new Pool<Exchange>(idleExchangesMax);

export function beginExchange(
  context: ExchangeContext,
  side: Side,
  down: HttpStream,
  head: HeaderList,
  endStream: boolean,
  protocol: number,
  peer: Peer,
): void {
  const exchange = idleExchanges.take() ?? new Exchange(context, side, down, head);
  exchange.pool = idleExchanges;
  exchange.context = context;
  exchange.side = side;
  exchange.down = down;
  exchange.head = head;
  exchange.begin(endStream, protocol, peer);
}
