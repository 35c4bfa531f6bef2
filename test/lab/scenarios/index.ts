/** The scenarios of the table, in its order; 12 to 16 are about the fleet. */
import type { Scenario } from '../scenario.ts';
import { sweep } from './01-sweep.ts';
import { spike } from './02-spike.ts';
import { step } from './03-step.ts';
import { capacity } from './04-capacity.ts';
import { hour } from './05-hour.ts';
import { priority } from './06-priority.ts';
import { retryStorm } from './07-retry-storm.ts';
import { metastable } from './08-metastable.ts';
import { fanOut } from './09-fan-out.ts';
import { slowRoute } from './10-slow-route.ts';
import { flapping } from './11-flapping.ts';
import { tenantFairness } from './17-tenants.ts';
import { balancing } from './18-balancing.ts';
import { rejection } from './19-rejection.ts';
import { batch } from './20-batch.ts';
import { cancels } from './21-cancels.ts';

export const scenarios: readonly Scenario[] = [
  sweep,
  spike,
  step,
  capacity,
  hour,
  priority,
  retryStorm,
  metastable,
  fanOut,
  slowRoute,
  flapping,
  tenantFairness,
  balancing,
  rejection,
  batch,
  cancels,
];
