/** Which protocol an upstream is spoken to in, given its caller's. */
import { Protocol } from './http-stream.ts';

export function protocolChoice(setting: 'auto' | 'http2' | 'http1'): (callers: number) => number {
  if (setting === 'auto') return (callers) => callers;
  return setting === 'http2' ? () => Protocol.http2 : () => Protocol.http1;
}
