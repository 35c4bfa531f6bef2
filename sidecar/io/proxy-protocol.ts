/**
 * The header of PROXY protocol version 2, by which a load balancer in front says who the client is. Version 1 is text of
 * unknown length and not taken. Pure: bytes in, an answer out.
 *
 *     12 signature │ 1 version, command │ 1 family, transport │ 2 length │ addresses │ TLVs (ignored)
 */

/** Addresses take 216 at most; what is beyond are TLVs, of which real balancers send some hundred bytes. */
export const proxyHeaderBytesMax = 16 + 4096;

const signature = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
const fixedBytes = 16;

export type ProxyHeader =
  /** More bytes are needed to tell. */
  | { readonly state: 'incomplete' }
  | { readonly state: 'malformed'; readonly detail: string }
  /** `bytes` is the header's length; `address` is null when the balancer speaks for itself or names none. */
  | { readonly state: 'complete'; readonly bytes: number; readonly isLocal: boolean; readonly address: string | null };

const incomplete: ProxyHeader = { state: 'incomplete' };

/** `bytes` are all that came so far; the header begins at 0. */
export function parseProxyHeader(bytes: Buffer): ProxyHeader {
  const compared = Math.min(bytes.length, signature.length);
  if (bytes.compare(signature, 0, compared, 0, compared) !== 0) return malformed('no PROXY v2 signature');
  if (bytes.length > 12 && bytes[12]! >> 4 !== 2) return malformed(`version ${bytes[12]! >> 4}, not 2`);
  if (bytes.length < fixedBytes) return incomplete;
  const total = fixedBytes + bytes.readUInt16BE(14);
  if (total > proxyHeaderBytesMax) return malformed(`${total} bytes, more than ${proxyHeaderBytesMax}`);
  if (bytes.length < total) return incomplete;
  const command = bytes[12]! & 15;
  if (command > 1) return malformed(`command ${command}`);
  if (command === 0) return { state: 'complete', bytes: total, isLocal: true, address: null };
  return addressed(bytes, total);
}

function addressed(bytes: Buffer, total: number): ProxyHeader {
  const family = bytes[13]!;
  const addressBytes = total - fixedBytes;
  const complete = (address: string | null): ProxyHeader => ({
    state: 'complete',
    bytes: total,
    isLocal: false,
    address,
  });
  switch (family) {
    case 0x00:
      return complete(null);
    case 0x11:
      if (addressBytes < 12) return malformed(`${addressBytes} bytes for IPv4 addresses`);
      return complete(bytes.subarray(16, 20).join('.'));
    case 0x21:
      if (addressBytes < 36) return malformed(`${addressBytes} bytes for IPv6 addresses`);
      return complete(ipv6Text(bytes, 16));
    case 0x31:
      if (addressBytes < 216) return malformed(`${addressBytes} bytes for Unix addresses`);
      return complete(null);
    default:
      return malformed(`family and transport 0x${family.toString(16).padStart(2, '0')}`);
  }
}

function malformed(detail: string): ProxyHeader {
  return { state: 'malformed', detail };
}

/** As node writes addresses of sockets (RFC 5952), so that both are the same key. */
function ipv6Text(bytes: Buffer, at: number): string {
  const groups: number[] = [];
  for (let i = 0; i < 16; i += 2) groups.push(bytes.readUInt16BE(at + i));
  const zeros = longestZeros(groups);
  const isMapped = zeros.start === 0 && (zeros.count === 6 || (zeros.count === 5 && groups[5] === 0xffff));
  const parts = groups.map((group) => group.toString(16));
  if (isMapped) parts.splice(6, 2, bytes.subarray(at + 12, at + 16).join('.'));
  if (zeros.count < 2) return parts.join(':');
  return `${parts.slice(0, zeros.start).join(':')}::${parts.slice(zeros.start + zeros.count).join(':')}`;
}

/** The first of the longest runs of zero groups. */
function longestZeros(groups: readonly number[]): { start: number; count: number } {
  let best = { start: 0, count: 0 };
  let start = 0;
  for (let i = 0; i <= groups.length; i++) {
    if (groups[i] === 0) continue;
    if (i - start > best.count) best = { start, count: i - start };
    start = i + 1;
  }
  return best;
}
