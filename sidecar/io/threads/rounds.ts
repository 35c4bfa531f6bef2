/**
 * Questions to all workers at once, with their answers awaited together. A round ends when all have answered, or when
 * those that have not are dead: their successors begin with what the question was about.
 */

/** A worker that takes longer is not well. */
const roundTimeoutMs = 5_000;

interface Round<Answer> {
  readonly waiting: Set<number>;
  readonly answers: Answer[];
  readonly resolve: (answers: Answer[]) => void;
  readonly timer: NodeJS.Timeout;
}

export class Rounds<Answer> {
  private readonly rounds = new Map<number, Round<Answer>>();
  private lastId = 0;

  /** `send` puts the question under the round's number. Rejects when a worker does not answer in time. */
  ask(workers: readonly number[], send: (id: number) => void): Promise<Answer[]> {
    const id = ++this.lastId;
    const round = new Promise<Answer[]>((resolve, reject) => {
      const timer = setTimeout(() => {
        const missing = [...(this.end(id)?.waiting ?? [])].join(', ');
        reject(new Error(`worker ${missing} has not answered in ${roundTimeoutMs} ms`));
      }, roundTimeoutMs);
      this.rounds.set(id, { waiting: new Set(workers), answers: [], resolve, timer });
    });
    send(id);
    this.endIfComplete(id);
    return round;
  }

  answer(id: number, worker: number, answer: Answer): void {
    const round = this.rounds.get(id);
    if (round?.waiting.delete(worker)) round.answers.push(answer);
    this.endIfComplete(id);
  }

  leave(worker: number): void {
    for (const [id, { waiting }] of this.rounds) {
      waiting.delete(worker);
      this.endIfComplete(id);
    }
  }

  close(): void {
    for (const id of [...this.rounds.keys()]) {
      const round = this.end(id);
      round?.resolve(round.answers);
    }
  }

  private endIfComplete(id: number): void {
    const round = this.rounds.get(id);
    if (round?.waiting.size !== 0) return;
    this.end(id);
    round.resolve(round.answers);
  }

  private end(id: number): Round<Answer> | undefined {
    const round = this.rounds.get(id);
    if (round === undefined) return undefined;
    this.rounds.delete(id);
    clearTimeout(round.timer);
    return round;
  }
}
