/** Why messages are dropped for slow readers, and where that is counted: by target, direction of the content and cause. */

export const DropCause = { oldest: 0, newest: 1, memory: 2 } as const;
export const dropCauseNames = ['oldest', 'newest', 'memory'] as const;

/** Which way the messages went: to the service, or back from it. */
export const contentNames = ['request', 'response'] as const;

export const dropNumbers = dropCauseNames.length * contentNames.length;

/** By content, and by cause within it. */
export interface DropRows {
  readonly messagesDropped: Float64Array;
  readonly messagesWouldDrop: Float64Array;
}

/** Where one direction of a stream counts. */
export class DropCounts {
  private readonly row: Float64Array;
  private readonly first: number;

  constructor({ messagesDropped, messagesWouldDrop }: DropRows, content: number, shadow: boolean) {
    this.row = shadow ? messagesWouldDrop : messagesDropped;
    this.first = content * dropCauseNames.length;
  }

  count(cause: number): void {
    this.row[this.first + cause]! += 1;
  }
}
