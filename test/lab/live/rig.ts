/** Which rig runs the experiments. */
import type { Rig } from '../scenario.ts';
import { simulation } from '../sim/simulation.ts';

export function rigFor(live: boolean): Rig | null {
  return live ? null : simulation;
}
