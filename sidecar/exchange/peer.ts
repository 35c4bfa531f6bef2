/** Who is at the other end of a caller's connection; one object per connection, shared by all its requests. */
export interface Peer {
  /** The address of the socket's other end, or the one that a PROXY header named; '' for a Unix socket. */
  readonly address: string;
  /** From the client's certificate, verified: its first SAN URI, else its first DNS name; '' without mutual TLS. */
  readonly identity: string;
}
