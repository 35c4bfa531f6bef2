/**
 * An endpoint's address in the form in which node dials it.
 */
import { assert } from '../../proto/kernel/assert.ts';
import { parseAddress } from '../routing/address.ts';

/** `address` was validated where it came in (configuration, discovery). */
export function connectOptions(address: string): { path: string } | { host: string; port: number } {
  const parsed = parseAddress(address);
  assert(parsed !== undefined, `not an address: ${address}`);
  return parsed.path === '' ? { host: parsed.host, port: parsed.port } : { path: parsed.path };
}
