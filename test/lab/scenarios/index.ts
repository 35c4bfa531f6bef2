/** The scenarios of the table, in its order. */
import type { Scenario } from '../scenario.ts';
import { sweep } from './01-sweep.ts';

export const scenarios: readonly Scenario[] = [sweep];
