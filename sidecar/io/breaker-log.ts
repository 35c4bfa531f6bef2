/**
 * Every change of a breaker's state: logged, counted for the metrics, told to the fleet.
 */
import type { Log } from '../../proto/kernel/log-format.ts';
import { type BreakerTransition, breakerStateName } from '../resilience/breaker.ts';

export class BreakerLog {
  /** By "upstream|from|to"; routes have none, they only have a state. */
  readonly transitions = new Map<string, number>();
  private readonly log: Log;
  private readonly onTransition: (target: string) => void;

  constructor(log: Log, onTransition: (target: string) => void) {
    this.log = log;
    this.onTransition = onTransition;
  }

  /** What a target's breaker reports to. */
  of(target: string): (transition: BreakerTransition, route: string) => void {
    return ({ from, to, cause }, route) => {
      const [before, after] = [breakerStateName(from), breakerStateName(to)];
      if (route !== '') {
        this.log.warn('breaker', { target, route, from: before, to: after, cause });
        return;
      }
      const key = `${target}|${before}|${after}`;
      this.transitions.set(key, (this.transitions.get(key) ?? 0) + 1);
      this.log.warn('breaker', { target, from: before, to: after, cause });
      this.onTransition(target);
    };
  }
}
