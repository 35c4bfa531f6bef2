/** Where something listens, as text: `host:port`, `[v6]:port`, or `unix:/path` for an app on the same machine. */
export interface Address {
  /** Without brackets; empty for a unix socket. */
  readonly host: string;
  /** 0 for a unix socket. */
  readonly port: number;
  /** The socket's path; empty for host and port. */
  readonly path: string;
}

const hostAndPort = /^(?:\[([0-9A-Fa-f:.]{2,45}(?:%[A-Za-z0-9._-]{1,32})?)\]|([A-Za-z0-9._-]{1,253})):([0-9]{1,5})$/;
/** sun_path holds 108 bytes, the terminating zero included. */
const unixPath = /^unix:(\/[^\0]{1,106})$/;

/** Undefined when the text is neither; port 0 is no address. */
export function parseAddress(text: string): Address | undefined {
  const unix = unixPath.exec(text);
  if (unix) return { host: '', port: 0, path: unix[1]! };
  const match = hostAndPort.exec(text);
  if (!match) return undefined;
  const port = Number(match[3]);
  if (port < 1 || port > 65_535) return undefined;
  return { host: match[1] ?? match[2]!, port, path: '' };
}

/** Where a connection goes and what it must find there. As text: an address, or `tls://[<ns>/<svc>@]<address>`. */
export interface UpstreamAddress extends Address {
  readonly isTls: boolean;
  /** Whose certificate is expected there, `<ns>/<svc>`; empty for the app. */
  readonly service: string;
}

const overTls = /^tls:\/\/(?:([a-z0-9-]+\/[a-z0-9-]+)@)?(.+)$/;

export function parseUpstreamAddress(text: string): UpstreamAddress | undefined {
  const secure = overTls.exec(text);
  const address = parseAddress(secure === null ? text : secure[2]!);
  return address && { ...address, isTls: secure !== null, service: secure?.[1] ?? '' };
}

/** An endpoint's address as it is dialled over TLS: two services at one address are two things to prove. */
export function addressOverTls(service: string, address: string): string {
  return `tls://${service}@${address}`;
}
