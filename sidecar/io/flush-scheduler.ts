/**
 * One write per connection per turn of the loop: whoever has output registers, and after all reads of the turn were
 * handled everything registered is flushed (the check phase follows the poll phase).
 */
export interface Flushable {
  flush(): void;
}

let waiting: Flushable[] = [];

function flushAll(): void {
  const batch = waiting;
  waiting = [];
  for (const flushable of batch) flushable.flush();
}

export function flushThisTurn(flushable: Flushable): void {
  if (waiting.push(flushable) === 1) setImmediate(flushAll);
}
