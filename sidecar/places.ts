/** The addresses that a configuration asks for. */
import type { ListenAddress } from '../proto/kernel/options.ts';
import { type SidecarConfig, splitPair } from './config.ts';

/** Where requests come in, by name. */
export function placesOf(config: SidecarConfig): Map<string, ListenAddress> {
  const places = new Map<string, ListenAddress>();
  if (config.app !== undefined) places.set('inbound', config.inbound);
  places.set('outbound', config.outbound);
  for (const [port] of config.upstream.map(splitPair)) {
    places.set(`upstream ${port}`, { host: '127.0.0.1', port: Number(port) });
  }
  return places;
}
