/** One open stream as operators see it: its windows, what waits, and whether it is stalled. */
export interface StreamView {
  /** Whose connection it is on. */
  readonly side: 'downstream' | 'upstream';
  readonly peer: string;
  readonly stream: number;
  /** What the peer lets us send, and we the peer. */
  readonly sendWindow: number;
  readonly receiveWindow: number;
  /** Size of the latter when everything is drained. */
  readonly windowBytes: number;
  /** Waits here to be sent to the peer; came from the peer and waits on the other side. */
  readonly queuedBytes: number;
  readonly heldBytes: number;
  readonly isStalled: boolean;
  readonly stalledMs: number;
  /** gRPC messages for the peer that a policy dropped (in shadow: would have), since it is slow. */
  readonly messagesDropped: number;
}
